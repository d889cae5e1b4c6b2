package config

import (
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/fleet"
)

// The bounds of jobs.
const (
	defaultJobTime = time.Hour // every wait ends; one that is meant to have no end says "0s"
	maxJobRetries  = 100
)

// job decodes one job: a workload that runs to completion once a release.
func (e *evaluation) job(i *instance) cty.Value {
	w := fleet.Workload{Name: fleet.WorkloadName(i.name), Job: &fleet.Job{Timeout: i.duration("timeout", defaultJobTime)}}
	if n, ok := i.integer("retries", 0, maxJobRetries); ok {
		w.Job.Retries = int(n)
	}
	e.common(i, &w)
	return e.add(i, w)
}

// restart reads what the engine does when a container ends. That of a job ends, and what then happens is for retries to say:
// an engine's on-failure has no end.
func (d *decoder) restart(w *fleet.Workload) fleet.Restart {
	def, values := string(fleet.RestartAlways), []string{string(fleet.RestartAlways), string(fleet.RestartOnFailure), string(fleet.RestartNo), "unless-stopped"}
	if w.Job != nil {
		def = string(fleet.RestartNo)
	}
	r := d.choice("restart", def, values...)
	if r == "unless-stopped" { // what Docker calls our always
		r = string(fleet.RestartAlways)
	}
	if w.Job != nil && r != string(fleet.RestartNo) {
		remedy := "take restart out"
		if r == string(fleet.RestartOnFailure) {
			remedy = "retries = 3"
		}
		d.bad(d.body.attrs["restart"], fmt.Sprintf("A job runs to completion, and with restart = %q the engine would start it again each time. How often one that fails is tried again is for retries to say.", r), remedy)
	}
	return fleet.Restart(r)
}
