//go:build seededbugs

package bug

import "os"

// The mistake that is made is named by the environment variable STOWAGE_BUG.
var (
	NoIntent            = made("NoIntent")
	GateOpen            = made("GateOpen")
	BatchTooBig         = made("BatchTooBig")
	OldFirst            = made("OldFirst")
	QuarantineForgotten = made("QuarantineForgotten")
	TakeBackUnrecorded  = made("TakeBackUnrecorded")
	SurgeUncounted      = made("SurgeUncounted")
	ExclusiveTwice      = made("ExclusiveTwice")
	GenerationReused    = made("GenerationReused")
	LeftoverKept        = made("LeftoverKept")
	UnknownIsFailed     = made("UnknownIsFailed")
	SilentIsEmpty       = made("SilentIsEmpty")
	AdoptedUnasked      = made("AdoptedUnasked")
	DoneEarly           = made("DoneEarly")
	HeirUnnamed         = made("HeirUnnamed")
	RemovalForgotten    = made("RemovalForgotten")
)

func made(name string) bool { return os.Getenv("STOWAGE_BUG") == name }

// Names returns all mistakes.
func Names() []string {
	return []string{
		"NoIntent",
		"GateOpen",
		"BatchTooBig",
		"OldFirst",
		"QuarantineForgotten",
		"TakeBackUnrecorded",
		"SurgeUncounted",
		"ExclusiveTwice",
		"GenerationReused",
		"LeftoverKept",
		"UnknownIsFailed",
		"SilentIsEmpty",
		"AdoptedUnasked",
		"DoneEarly",
		"HeirUnnamed",
		"RemovalForgotten",
	}
}
