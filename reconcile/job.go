package reconcile

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// jobsOf returns the workloads that run to completion.
func jobsOf(f *fleet.Fleet) map[fleet.WorkloadName]bool {
	jobs := map[fleet.WorkloadName]bool{}
	for i := range f.Workloads {
		if f.Workloads[i].Job != nil {
			jobs[f.Workloads[i].Name] = true
		}
	}
	return jobs
}

// withoutJobs takes from what losses would do what they would do to jobs: a run that is lost is run again, and nobody is served by
// it meanwhile.
func withoutJobs(s fleet.Survival, f *fleet.Fleet) fleet.Survival {
	jobs := jobsOf(f)
	if len(jobs) == 0 {
		return s
	}
	losses := s.Losses
	s.Losses = nil
	for _, l := range losses {
		l.Refused = slices.DeleteFunc(slices.Clone(l.Refused), func(r fleet.Refusal) bool { return jobs[r.Workload] })
		l.Down = slices.DeleteFunc(slices.Clone(l.Down), func(n fleet.WorkloadName) bool { return jobs[n] })
		if len(l.Refused)+len(l.Down) > 0 {
			s.Losses = append(s.Losses, l)
		}
	}
	return s
}
