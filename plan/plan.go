package plan

import (
	"encoding/json"
	"time"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// Format is the version of a plan's encoding. A plan of another format is refused.
const Format = 1

// Mode is what a plan is for.
type Mode string

// The modes of a plan.
const (
	Normal      Mode = "normal"       // make it as the configuration says
	Destroy     Mode = "destroy"      // remove everything, volumes only where they are asked for
	RefreshOnly Mode = "refresh-only" // bring the record in line with what is there, and change no host
)

// Plan is what would change, to whom and why, and the steps that change it.
type Plan struct {
	Format  int        `json:"format"`
	ID      string     `json:"id"`   // UUID; a plan runs once
	Tool    string     `json:"tool"` // version of Stowage that made it
	Fleet   fleet.ID   `json:"fleet"`
	Name    fleet.Name `json:"name"`
	Mode    Mode       `json:"mode"`
	Created time.Time  `json:"created"`

	// What the plan is bound to. It is refused when any of them is no longer so.
	Config    string                     `json:"config"`              // digest of the configuration
	Variables map[string]json.RawMessage `json:"variables,omitempty"` // that it was evaluated with; sensitive ones left out
	Guards    []Guard                    `json:"guards,omitempty"`    // sorted by key
	Sealed    []fleet.Fingerprint        `json:"sealed,omitempty"`    // secrets that apply must be able to open; sorted

	Release fleet.Release `json:"release"` // the number that applying it makes

	// Desired is the fleet of that release and what the record of workloads and outputs says once it is made: images
	// pinned, sensitive outputs without value. What the plan leaves out (not targeted, excluded) is in it as it was
	// recorded; with Destroy no workload is.
	Desired fleet.Fleet `json:"desired"`

	Hosts []fleet.Host                  `json:"hosts,omitempty"` // every host that a step goes to, also those no longer declared
	Specs map[fleet.Revision]fleet.Spec `json:"specs,omitempty"` // of every revision that a step or change names

	Changes  []Change  `json:"changes,omitempty"` // without those of Noop; sorted by address, slots by number
	Drift    []Drift   `json:"drift,omitempty"`   // sorted by address
	Steps    []Step    `json:"steps,omitempty"`   // Step.ID is the index; needs come before
	Rollouts []Rollout `json:"rollouts,omitempty"`
	Held     []Held    `json:"held,omitempty"` // sorted by workload

	// Overrides are the numbers of replicas that are in force in place of the configuration's, and Ended those that no longer are:
	// applying the plan records the first, also where it makes one, and drops the others. Both are sorted by workload.
	Overrides []state.Override `json:"overrides,omitempty"`
	Ended     []Ended          `json:"ended_overrides,omitempty"`

	Loads    []fleet.Load   `json:"loads,omitempty"`
	Exposed  []Exposure     `json:"exposed,omitempty"`
	Skipped  []Skipped      `json:"skipped,omitempty"` // hosts that did not answer, and what is owed to them
	Images   []ImageNote    `json:"images,omitempty"`
	Outputs  []OutputChange `json:"outputs,omitempty"`
	Warnings diag.List      `json:"warnings,omitempty"`

	Unplaced []Unplaced      `json:"unplaced,omitempty"` // replicas without a place that the plan goes on without
	Survival *fleet.Survival `json:"survival,omitempty"` // nil: not asked, as with Destroy

	// WhatIf is what was supposed when the plan was made, one line each for people. Such a plan is an answer: it is
	// neither saved nor carried out.
	WhatIf []string `json:"what_if,omitempty"`

	Stowage *Stowage `json:"-"` // nil: not asked for, or the plan was read from a file
}

// Unplaced is replicas of one workload that no host takes.
type Unplaced struct {
	Workload fleet.WorkloadName `json:"workload"`
	Slots    []fleet.Slot       `json:"slots"`
	Why      []string           `json:"why"`             // for people, one line each
	Waits    bool               `json:"waits,omitempty"` // for room that replicas of higher priority hold
}

// Guard is one record that the plan relies on. 0 is "does not exist".
type Guard struct {
	Key    state.Key    `json:"key"`
	Serial state.Serial `json:"serial"`
}

// Action is what happens to one object.
type Action string

// The actions, in Terraform's words, and two more.
const (
	Noop    Action = "no-op"
	Create  Action = "create"
	Update  Action = "update"  // in place
	Replace Action = "replace" // destroyed, then made again, on the same host
	Move    Action = "move"    // made on another host
	Restart Action = "restart" // started, stopped-and-started or unpaused, without a new container
	Delete  Action = "delete"
	Forget  Action = "forget" // dropped from the record; nothing is done to it
	Adopt   Action = "adopt"  // found on a host with our labels, and recorded
)

// Change is what happens to one object, for people. Replicas that change alike have one Revision and one
// Diff and are shown as one block.
type Change struct {
	Addr   fleet.Addr        `json:"addr"`
	Action Action            `json:"action"`
	Reason string            `json:"reason"`           // without parentheses: "env.LOG_LEVEL changed"
	Host   fleet.HostName    `json:"host,omitempty"`   // where it will be
	From   fleet.HostName    `json:"from,omitempty"`   // where it is, with Move
	Before fleet.Revision    `json:"before,omitempty"` // of replicas
	After  fleet.Revision    `json:"after,omitempty"`
	Ports  map[string]uint16 `json:"ports,omitempty"`
	Diff   []Difference      `json:"diff,omitempty"` // nothing for create and delete of replicas: the spec says it
	Steps  []int             `json:"steps,omitempty"`

	// CreateFirst says, with Replace, that the new one is there before the old one goes.
	CreateFirst bool `json:"create_first,omitempty"`

	// Leftover says, with Delete, that it is a container without a place: the slot has another one, and keeps it.
	Leftover bool `json:"leftover,omitempty"`
}

// Difference is one attribute before and after. A nil side is "not set". Secret values are never in it.
type Difference struct {
	Path      string  `json:"path"` // "image", "env.LOG_LEVEL", "port.http.container", "resources.memory"
	Before    *string `json:"before,omitempty"`
	After     *string `json:"after,omitempty"`
	Sensitive bool    `json:"sensitive,omitempty"`
	Replaces  bool    `json:"replaces,omitempty"` // cannot be changed in place
}

// Drift is one difference between what is recorded and what is there.
type Drift struct {
	Addr fleet.Addr     `json:"addr"`
	Host fleet.HostName `json:"host"`
	What string         `json:"what"`           // "stopped (exit status 137)", "removed", "memory changed from 512MiB to 1GiB"
	Will string         `json:"will,omitempty"` // "be started again"; empty: nothing
}

// Kind is what a step does.
type Kind string

// The kinds of steps. Each is one mutation of one object on one host, except Run, which creates,
// starts and then looks whether the container stays up, under one intent; and those that touch the record only.
const (
	KindPull          Kind = "pull" // Image, from its registry
	KindSend          Kind = "send" // Image, from this machine
	KindCreateNetwork Kind = "create-network"
	KindRemoveNetwork Kind = "remove-network"
	KindCreateVolume  Kind = "create-volume"
	KindRemoveVolume  Kind = "remove-volume" // and its data
	KindRun           Kind = "run"           // Instance with Specs[Instance.Revision]
	KindStart         Kind = "start"
	KindStop          Kind = "stop"
	KindRemove        Kind = "remove"
	KindUnpause       Kind = "unpause"
	KindRename        Kind = "rename"      // back to Container.Name
	KindConnect       Kind = "connect"     // to Network
	KindDisconnect    Kind = "disconnect"  // from Network
	KindUpdate        Kind = "update"      // limits and restart policy
	KindWriteFiles    Kind = "write-files" // the files named in Files, from Specs[Instance.Revision]
	KindSignal        Kind = "signal"
	KindGate          Kind = "gate"     // waits until what the Run or Start that it needs has brought up counts as healthy
	KindComplete      Kind = "complete" // waits until the container of a job has ended, and tries again what fails
	KindRecord        Kind = "record"   // Record alone
)

// Step is one change to one object, with the reason for it and the steps it needs done first.
type Step struct {
	ID     int            `json:"id"`
	Kind   Kind           `json:"kind"`
	Host   fleet.HostName `json:"host,omitempty"`
	Addr   fleet.Addr     `json:"addr"`
	Reason string         `json:"reason"`
	Needs  []int          `json:"needs,omitempty"` // ids, ascending

	Container *Container      `json:"container,omitempty"` // what the step acts on; for Run, nothing: its name follows from Instance
	Instance  *fleet.Instance `json:"instance,omitempty"`  // of Run; of WriteFiles, where its Revision says which files
	Image     *fleet.Image    `json:"image,omitempty"`     // of Pull and Send; of Run, as this host knows it: put it in place of the spec's
	Network   *Network        `json:"network,omitempty"`
	Volume    *Volume         `json:"volume,omitempty"`
	Limits    *fleet.Limits   `json:"limits,omitempty"`
	Restart   fleet.Restart   `json:"restart,omitempty"`
	Files     []string        `json:"files,omitempty"` // paths
	Gate      *Gate           `json:"gate,omitempty"`
	Complete  *Complete       `json:"complete,omitempty"`
	Ends      bool            `json:"ends,omitempty"`    // of Run: the container is to end by itself, and a Complete looks how
	Lenient   bool            `json:"lenient,omitempty"` // of the Run and the Complete of a hook: what fails is reported, and the rest goes on
	Signal    string          `json:"signal,omitempty"`  // of Signal; Stop uses the container's own
	Timeout   time.Duration   `json:"timeout,omitempty"` // of Stop: between signal and kill

	// Record is written when the step is done, in the transaction that removes its intent.
	Record Record `json:"record,omitzero"`
}

// Gate is what a replica has to show before the next ones are touched. Container of the step is what is asked; nil: what
// the first step that it needs, a Run, has made.
type Gate struct {
	Health   fleet.Healthcheck `json:"health,omitzero"`
	Port     uint16            `json:"port,omitempty"`      // of the container, that Health asks
	Healthy  time.Duration     `json:"healthy,omitempty"`   // for which it has to be healthy without a break
	Deadline time.Duration     `json:"deadline,omitempty"`  // for all of it; 0: none but the check's own
	Progress time.Duration     `json:"progress,omitempty"`  // for it, counted from the last replica of the workload that passed; 0: none
	HostPort bool              `json:"host_port,omitempty"` // the container shares its host's network
	Brief    bool              `json:"brief,omitempty"`     // to be healthy once will do: it is new, and nothing had to make way for it
	Lenient  bool              `json:"lenient,omitempty"`   // who does not pass is reported, and the rest goes on
}

// Container names a container that exists: by the id that an observation gave.
type Container struct {
	ID   string `json:"id"`
	Name string `json:"name"` // for people, and for Rename
}

// Network is a network on a host, or one container's place on it.
type Network struct {
	Name    fleet.NetworkName `json:"name,omitempty"` // declared; empty for a stranger's
	Engine  string            `json:"engine"`
	Driver  string            `json:"driver,omitempty"`
	Aliases []string          `json:"aliases,omitempty"`
}

// Volume is a volume on a host.
type Volume struct {
	Declared fleet.Volume     `json:"declared"`
	Engine   string           `json:"engine"`
	Replica  *fleet.ReplicaID `json:"replica,omitempty"`
}

// Record is what a finished step changes in the record. Where it puts a replica with an empty container id after a
// Run, apply fills in the id that the engine gave; Changed is the time of writing. Nothing else is left to apply.
type Record struct {
	PutReplica    *state.Replica   `json:"put_replica,omitempty"`
	DeleteReplica *fleet.ReplicaID `json:"delete_replica,omitempty"`
	PutVolume     *state.Volume    `json:"put_volume,omitempty"`
	DeleteVolume  *state.Volume    `json:"delete_volume,omitempty"`
	PutNetwork    *state.Network   `json:"put_network,omitempty"`
	DeleteNetwork *state.Network   `json:"delete_network,omitempty"`
	DeleteHost    fleet.HostName   `json:"delete_host,omitempty"`    // nothing of ours is left on it
	DeleteIntents []fleet.OpID     `json:"delete_intents,omitempty"` // of a run that was cut off, and are resolved
}

// Rollout is how one workload's change goes out.
type Rollout struct {
	Workload fleet.WorkloadName `json:"workload"`
	Text     string             `json:"text"` // for people

	// To is the revision that goes out; empty: none does, as when replicas only move.
	To fleet.Revision `json:"to,omitempty"`

	// What happens when a gate fails: with FailureRollback the workload goes back to Good, which is that of release
	// GoodRelease. Good is nil for a workload that has no good release yet.
	OnFailure   fleet.OnFailure `json:"on_failure,omitempty"`
	Good        *fleet.Workload `json:"good,omitempty"`
	GoodRelease fleet.Release   `json:"good_release,omitempty"`

	Goes     bool `json:"goes,omitempty"`     // on with one that was begun before
	Back     bool `json:"back,omitempty"`     // it is the way back of one that failed
	Canaries bool `json:"canaries,omitempty"` // it ends with these, and waits for a promotion
	Partial  bool `json:"partial,omitempty"`  // the plan leaves some of its replicas alone, so that it goes on after it
}

// Held is a workload that is left at what it was, or half way, although something else is wanted: the revision that is wanted has
// failed and has not changed since, or somebody has to say how to go on.
type Held struct {
	Workload fleet.WorkloadName  `json:"workload"`
	Revision fleet.Revision      `json:"revision"`
	Status   state.RolloutStatus `json:"status"`
	Why      string              `json:"why"`
	Release  fleet.Release       `json:"release"`                // that brought it
	Good     fleet.Release       `json:"good_release,omitempty"` // what it was taken back to; 0: nothing
	Frozen   bool                `json:"frozen,omitempty"`       // it is left exactly as it stands
}

// Exposure is a port that becomes, or stops being, reachable from outside its host.
type Exposure struct {
	Addr     fleet.Addr     `json:"addr"`
	Host     fleet.HostName `json:"host"`
	Bind     string         `json:"bind"` // "0.0.0.0" where none is given
	Port     uint16         `json:"port"`
	Protocol string         `json:"protocol"`
	Closes   bool           `json:"closes,omitempty"`
}

// Skipped is a host that did not answer, with what is owed to it.
type Skipped struct {
	Host fleet.HostName `json:"host"`
	Why  string         `json:"why"`
	Owed []string       `json:"owed,omitempty"` // for people, one line each
}

// ImageNote says what one image reference was pinned to and how each host gets it.
type ImageNote struct {
	Image fleet.Image               `json:"image"`
	Why   string                    `json:"why"` // "as the hosts have it", "as ghcr.io answers", "from this machine"
	Has   []fleet.HostName          `json:"has,omitempty"`
	Pull  []fleet.HostName          `json:"pull,omitempty"`
	Send  []fleet.HostName          `json:"send,omitempty"`
	Other map[fleet.HostName]string `json:"other,omitempty"` // hosts that hold another image under the reference, by its id
}

// OutputChange is one output before and after.
type OutputChange struct {
	Name      string          `json:"name"`
	Action    Action          `json:"action"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
	Unknown   bool            `json:"unknown,omitempty"`
}

// Counts is the last line of a plan: replicas, volumes and networks. What is only recorded has counts of its own.
type Counts struct {
	Replace int `json:"replace"`
	Move    int `json:"move"`
	Add     int `json:"add"`
	Change  int `json:"change"`
	Destroy int `json:"destroy"`
	Adopt   int `json:"adopt"`
	Forget  int `json:"forget"`
}

// Empty reports whether the plan has nothing to do: no step, no change and no changed output. A change without steps
// is one of a workload's own attributes (a reservation, a stop timeout), which are recorded with the release.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 && len(p.Changes) == 0 && len(p.Outputs) == 0 }
