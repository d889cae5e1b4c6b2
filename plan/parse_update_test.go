package plan

import (
	"strconv"
	"strings"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// setUpdate reads one option of a workload that says how it is updated.
func setUpdate(u *fleet.Update, k, v string) {
	n, _ := strconv.Atoi(v)
	switch k {
	case "parallel":
		u.MaxParallel.N = n
	case "surge":
		u.MaxSurge.N = n
	case "unavailable":
		u.MaxUnavailable.N = n
	case "order":
		u.Order = fleet.UpdateOrder(v)
	case "healthy":
		u.MinHealthyTime, _ = time.ParseDuration(v)
	case "canary":
		u.Canary = n
	case "strategy":
		u.Strategy = fleet.UpdateStrategy(v)
	case "on_failure":
		u.OnFailure = fleet.OnFailure(v)
	}
}

// parseRollout reads: rollout STATUS release=N [promoted] to WORKLOAD OPTIONS [good WORKLOAD OPTIONS]
func parseRollout(f []string) (state.Rollout, error) {
	words := strings.Join(f, " ")
	head, rest, _ := strings.Cut(words, " to ")
	to, good, back := strings.Cut(rest, " good ")
	parse := func(text string) (fleet.Workload, error) {
		w, err := parseWorkload(strings.Fields(text))
		return w, err
	}
	w, err := parse(to)
	if err != nil {
		return state.Rollout{}, err
	}
	n, err := strconv.Atoi(option(strings.Fields(head), "release", "1"))
	r := state.Rollout{
		Workload: w.Name, To: w.Spec.Digest(), Status: state.RolloutStatus(f[1]), Release: fleet.Release(n),
		Promoted: strings.Contains(head, " promoted"), Why: "web[0] on web1 was not healthy within 5m0s",
	}
	if back && err == nil {
		g, bad := parse(good)
		r.Good, r.GoodRelease, err = &g, 1, bad
	}
	return r, err
}
