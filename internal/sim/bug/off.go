//go:build !seededbugs

// Package bug holds mistakes that can be made on purpose, so that a test can show that the simulation finds each. In every build but
// that with the tag seededbugs each is a constant false, and the compiler leaves nothing of it.
package bug

// The mistakes.
const (
	NoIntent            = false // a container is made without a note that it is about to be
	GateOpen            = false // a gate does not wait
	BatchTooBig         = false // a batch holds one replica more than the policy allows
	OldFirst            = false // the old container goes before the new one has passed its gate
	QuarantineForgotten = false // what has failed is tried again
	TakeBackUnrecorded  = false // what stays of a slot whose gate has failed is not recorded again
	SurgeUncounted      = false // a batch that starts first is as big as max_parallel
	ExclusiveTwice      = false // a replica that is exclusive starts beside its old container
	GenerationReused    = false // the number of a container that was discarded is given again
	LeftoverKept        = false // what is left over is never removed
	UnknownIsFailed     = false // a call whose answer is lost counts as failed, and nobody looks
	SilentIsEmpty       = false // a host that does not answer counts as empty
	AdoptedUnasked      = false // a container that a run which was cut off has started is not asked for its health
	DoneEarly           = false // a rollout is recorded as done that leaves replicas alone
	HeirUnnamed         = false // what a new container takes the place of has no intent
	RemovalForgotten    = false // the intent of a removal that failed is dropped
)
