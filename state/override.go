package state

import (
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// Override is a number of replicas that a person has put in the place of the configuration's. It is in force until its time is up,
// until the configuration's own number changes, or until somebody ends it: what was changed in a hurry does not outlive what
// somebody has thought about since.
type Override struct {
	Workload   fleet.WorkloadName `json:"workload"`
	Replicas   int                `json:"replicas"`
	Configured int                `json:"configured"` // the configuration's own number when it was made
	Who        string             `json:"who"`
	Since      time.Time          `json:"since"`
	Until      time.Time          `json:"until,omitzero"` // zero: until the configuration's number changes
}

// Expired reports whether its time is up.
func (o Override) Expired(now time.Time) bool { return !o.Until.IsZero() && !now.Before(o.Until) }

// InForce reports whether it takes the place of the configuration's number, which is configured now.
func (o Override) InForce(configured int, now time.Time) bool {
	return !o.Expired(now) && o.Configured == configured
}
