package diag

// The codes of every message. A code is never given to another meaning. Each has an explanation in
// explain/<code>.md, which `stowage explain` prints and docs/errors.md collects.
//
//	S01xx  the configuration
//	S02xx  reaching a host
//	S03xx  a host's engine
//	S04xx  placing and planning
//	S05xx  applying
//	S06xx  state
//	S07xx  images and secrets
//	S09xx  the command line
const (
	CodeSyntax          Code = "S0101" // the file is not HCL
	CodeTooDeep         Code = "S0102" // nesting beyond what can be parsed safely
	CodeBudget          Code = "S0103" // evaluation beyond its budget
	CodeUnknownArgument Code = "S0104" // an argument or block that does not exist here
	CodeMissing         Code = "S0105" // a required argument or block
	CodeType            Code = "S0106" // a value of the wrong type
	CodeValue           Code = "S0107" // a value of the right type that cannot be
	CodeDuplicate       Code = "S0108" // declared twice
	CodeReference       Code = "S0109" // refers to what does not exist
	CodeCycle           Code = "S0110" // refers to itself
	CodeNotYet          Code = "S0111" // in the language, not supported yet
	CodeVariable        Code = "S0112" // a variable without a value, or a value its validation refuses
	CodeNoConfig        Code = "S0113" // no configuration files here
	CodeVersion         Code = "S0114" // required_version excludes this one
	CodeSensitive       Code = "S0115" // a secret where it would be shown
	CodeEvaluate        Code = "S0116" // an expression that fails
	CodeNoLabel         Code = "S0117" // no host has the label or name that a placement asks for

	CodeUnreachable    Code = "S0201" // no answer
	CodeHostKeyUnknown Code = "S0202"
	CodeAuth           Code = "S0203" // the SSH key was refused
	CodeHostKeyChanged Code = "S0204"
	CodeForwarding     Code = "S0205" // sshd refuses to forward to the socket
	CodeSocket         Code = "S0206" // the engine's socket is missing or may not be opened
	CodeSSH            Code = "S0207" // anything else that SSH says
	CodeSameMachine    Code = "S0208" // two hosts are one machine

	CodeEngine     Code = "S0301" // the engine answered with an error
	CodeNameTaken  Code = "S0302" // a stranger's container has the name
	CodePortTaken  Code = "S0303" // somebody else has the port
	CodeEngineSick Code = "S0304" // the engine does not answer, or makes no sense
	CodeNoSpace    Code = "S0305" // the host's disk is full

	CodeUnplaceable    Code = "S0401" // no host for a replica
	CodeStalePlan      Code = "S0402"
	CodeDamagedPlan    Code = "S0403"
	CodeForeignPlan    Code = "S0404" // of another fleet
	CodeUsedPlan       Code = "S0405" // already applied
	CodeTarget         Code = "S0406" // -target, -exclude or -replace that names nothing
	CodePreventDestroy Code = "S0407"
	CodeDeletionBudget Code = "S0408" // deletes more than may be deleted unasked
	CodeVolumeKept     Code = "S0409" // no longer declared, and not deleted
	CodeCheck          Code = "S0410" // a check of the configuration does not hold
	CodeQuarantined    Code = "S0411" // it has failed before, and has not changed since

	CodeStepFailed  Code = "S0501"
	CodeStepUnknown Code = "S0502" // nobody knows whether it took effect
	CodeInterrupted Code = "S0503"
	CodePartial     Code = "S0504" // debt was recorded
	CodeNotRunning  Code = "S0505" // a container ended as soon as it was started
	CodeNotApproved Code = "S0506"
	CodeRollout     Code = "S0507" // a rollout failed, and was taken back
	CodeHalted      Code = "S0508" // a rollout failed, and there is no way back
	CodeNoRollout   Code = "S0509" // no rollout with which that can be done
	CodeJobFailed   Code = "S0510" // what depends on it was not started

	CodeLocked       Code = "S0601"
	CodeStateDamaged Code = "S0602"
	CodeStateLost    Code = "S0603" // hosts hold a fleet that the state does not know
	CodeStateWrite   Code = "S0604" // the state cannot be written: disk full, read-only
	CodeStateNewer   Code = "S0605" // written by a newer Stowage
	CodeStateMissing Code = "S0606" // nothing recorded under that address

	CodeImageNotFound Code = "S0701"
	CodeRegistry      Code = "S0702" // the registry does not answer or refuses
	CodeSecret        Code = "S0703" // a secret's source does not give it
	CodeImageNever    Code = "S0704" // pull_policy = "never", and a host lacks it

	CodeUsage    Code = "S0901"
	CodeNoSuch   Code = "S0902" // no workload, replica or output of that name
	CodeInternal Code = "S0999" // a bug in Stowage
)
