package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// What an update does where nothing is said: one replica after the other, the new one beside the old until it has proved
// itself, and back again where it does not.
const (
	defaultMinHealthy = 10 * time.Second
	defaultHealthy    = 5 * time.Minute
	defaultProgress   = 10 * time.Minute
)

// update decodes the update block, and fills in the defaults, also where there is no such block: what is not written counts
// in every workload. It comes after all that says whether two of a slot can be there at once.
func (d *decoder) update(w *fleet.Workload) {
	n := d.block("update")
	if n == nil {
		n = &decoder{c: d.c, ctx: d.ctx, body: &body{}, in: d.in, at: d.at}
	}
	defer d.join(n)
	u := fleet.Update{Strategy: fleet.UpdateStrategy(n.choice("strategy", string(fleet.UpdateRolling), string(fleet.UpdateRolling), string(fleet.UpdateBlueGreen), string(fleet.UpdateRecreate)))}
	u.OnFailure = fleet.OnFailure(n.choice("on_failure", string(fleet.FailureRollback), string(fleet.FailureRollback), string(fleet.FailurePause), string(fleet.FailureContinue)))
	n.updateTimes(&u)
	if c, ok := n.integer("canary", 0, maxReplicas); ok {
		u.Canary = int(c)
	}
	u.AutoPromote = n.boolean("auto_promote", false)
	u.Order = fleet.UpdateOrder(n.choice("order", "", string(fleet.StartFirst), string(fleet.StopFirst)))
	if u.Strategy == fleet.UpdateRolling {
		n.rolling(&u, w)
	} else {
		n.together(&u, w)
	}
	n.canaries(&u, w)
	w.Update = u
}

// updateTimes reads how long is waited for a replica.
func (d *decoder) updateTimes(u *fleet.Update) {
	before := len(d.diags)
	u.MinHealthyTime = d.duration("min_healthy_time", defaultMinHealthy)
	u.HealthyDeadline = d.duration("healthy_deadline", defaultHealthy)
	u.ProgressDeadline = d.duration("progress_deadline", max(defaultProgress, u.HealthyDeadline))
	if len(d.diags) > before {
		return
	}
	minimum, deadline, progress := d.body.attrs["min_healthy_time"], d.body.attrs["healthy_deadline"], d.body.attrs["progress_deadline"]
	switch {
	case u.HealthyDeadline == 0 && u.ProgressDeadline == 0:
		d.bad(deadline, "healthy_deadline and progress_deadline are both 0, so an update could wait for ever.", `healthy_deadline = "5m"`)
	case u.HealthyDeadline != 0 && u.MinHealthyTime > u.HealthyDeadline && minimum != nil:
		d.bad(minimum, fmt.Sprintf("A replica has to be healthy for %s and gets %s for that%s, so none could ever count as healthy.",
			shortTime(u.MinHealthyTime), shortTime(u.HealthyDeadline), unsaid(deadline)), fmt.Sprintf("healthy_deadline = %q", shortTime(2*u.MinHealthyTime)))
	case u.HealthyDeadline != 0 && u.MinHealthyTime > u.HealthyDeadline:
		d.bad(deadline, fmt.Sprintf("A replica gets %s and has to be healthy for %s, the min_healthy_time where none is given, so none could ever count as healthy.",
			shortTime(u.HealthyDeadline), shortTime(u.MinHealthyTime)), fmt.Sprintf("min_healthy_time = %q", shortTime(u.HealthyDeadline/2)))
	case u.ProgressDeadline != 0 && u.ProgressDeadline < u.HealthyDeadline && progress != nil:
		d.bad(progress, fmt.Sprintf("The update ends when no replica has become healthy for %s, and one replica gets %s for that%s: it would never get so long.",
			shortTime(u.ProgressDeadline), shortTime(u.HealthyDeadline), unsaid(deadline)), fmt.Sprintf("progress_deadline = %q", shortTime(2*u.HealthyDeadline)))
	case u.ProgressDeadline != 0 && u.ProgressDeadline < u.MinHealthyTime:
		at := minimum
		if progress != nil {
			at = progress
		}
		d.bad(at, fmt.Sprintf("The update ends when no replica has become healthy for %s%s, and each has to be healthy for %s: it would always end.",
			shortTime(u.ProgressDeadline), unsaid(progress), shortTime(u.MinHealthyTime)), fmt.Sprintf("progress_deadline = %q", shortTime(2*u.MinHealthyTime)))
	}
}

// unsaid notes that a value is the one where nothing is said.
func unsaid(a *attr) string {
	if a == nil {
		return " where nothing is said"
	}
	return ""
}

// rolling reads how many replicas a rolling update touches at once.
func (d *decoder) rolling(u *fleet.Update, w *fleet.Workload) {
	before := len(d.diags)
	stops := u.Order == fleet.StopFirst
	surge, unavailable := fleet.Amount{N: 1}, fleet.Amount{}
	if stops {
		surge, unavailable = unavailable, surge // one that stops first is missing, and none is there twice
	} else {
		u.Order = fleet.StartFirst
	}
	u.MaxParallel = d.portion("max_parallel", fleet.Amount{N: 1}, 1)
	u.MaxSurge = d.portion("max_surge", surge, 0)
	u.MaxUnavailable = d.portion("max_unavailable", unavailable, 0)
	if len(d.diags) > before {
		return
	}
	a := d.body.attrs["max_surge"]
	switch {
	case stops && u.MaxSurge.N > 0:
		d.bad(a, `With order = "stop-first" the old container of a replica is gone before the new one starts, so there is never one more than wanted.`, "take max_surge out")
	case stops && nothing(u.MaxUnavailable, w):
		d.bad(d.body.attrs["max_unavailable"], fmt.Sprintf("With order = %q a replica is missing while its new container starts, and max_unavailable is %s%s, so nothing could be updated.",
			fleet.StopFirst, u.MaxUnavailable, rounded(u.MaxUnavailable, w)), "max_unavailable = 1")
	case u.MaxSurge.N == 0 && nothing(u.MaxUnavailable, w):
		if a == nil { // both have to be said for this but where max_unavailable has its default
			a = d.body.attrs["max_unavailable"]
		}
		d.bad(a, fmt.Sprintf("max_surge is 0, so nothing new starts beside the old, and max_unavailable is %s%s%s, so nothing old stops before: nothing could be updated.",
			u.MaxUnavailable, unsaid(d.body.attrs["max_unavailable"]), rounded(u.MaxUnavailable, w)), "max_surge = 1\nor, for fewer instead of more: max_unavailable = 1")
	}
}

// nothing reports whether an amount of a workload's replicas, rounded down, is none at all. One without replicas has nothing
// to update, and how many a global one has is not known yet.
func nothing(a fleet.Amount, w *fleet.Workload) bool {
	return a.N == 0 || w.Replicas > 0 && a.Floor(w.Replicas) == 0
}

func rounded(a fleet.Amount, w *fleet.Workload) string {
	if !a.Percent || a.N == 0 {
		return ""
	}
	return fmt.Sprintf(" of %d, rounded down to 0", w.Replicas)
}

// together checks an update that changes all replicas at once: with recreate all old ones end first, with blue-green all new
// ones start first. So there is no number at a time, and the order is given.
func (d *decoder) together(u *fleet.Update, w *fleet.Workload) {
	does, order := "starts all new replicas beside all old ones", fleet.StartFirst
	if u.Strategy == fleet.UpdateRecreate {
		does, order = "stops all old replicas before it starts new ones", fleet.StopFirst
	}
	for _, name := range words("max_parallel max_surge max_unavailable") {
		if a := d.body.attrs[name]; a != nil {
			d.add(diag.CodeValue, "Invalid value", a.at, fmt.Sprintf("strategy = %q %s, so there is nothing for %s to say.", u.Strategy, does, name), "take "+name+" out")
		}
	}
	if u.Order != "" && u.Order != order {
		d.bad(d.body.attrs["order"], fmt.Sprintf("strategy = %q %s, which is the order %q.", u.Strategy, does, order), "take order out")
	}
	u.Order = order
	if why := onlyOnce(w); u.Strategy == fleet.UpdateBlueGreen && why != "" {
		d.bad(d.body.attrs["strategy"], fmt.Sprintf("strategy = %q %s, and %s.", u.Strategy, does, why), `strategy = "rolling"`)
	}
}

// onlyOnce says why the old and the new container of a replica cannot be there at once; empty: they can.
func onlyOnce(w *fleet.Workload) string {
	if w.Exclusive {
		return "with exclusive = true there are never two of one"
	}
	for _, m := range w.Spec.Mounts {
		if m.Kind == fleet.MountVolume && !m.ReadOnly {
			return fmt.Sprintf("two of one would write to %s, mounted at %s, at once", fleet.VolumeAddr(m.Volume), m.Target)
		}
	}
	for _, p := range w.Spec.Ports {
		if p.Policy == fleet.PortFixed {
			return fmt.Sprintf("port %q is host port %d, which only one of them can have", p.Name, p.Host)
		}
		if w.Spec.NetworkMode == "host" {
			return fmt.Sprintf("port %q is the host's own, as network_mode is \"host\", and only one of them can have it", p.Name)
		}
	}
	return ""
}

// canaries checks what is said of the replicas that go first.
func (d *decoder) canaries(u *fleet.Update, w *fleet.Workload) {
	a, auto := d.body.attrs["canary"], d.body.attrs["auto_promote"]
	switch {
	case u.Canary > 0 && u.Strategy == fleet.UpdateRecreate:
		d.bad(a, `strategy = "recreate" stops all old replicas before it starts new ones, so none can go first.`, `strategy = "rolling"`)
	case u.Canary > w.Replicas && w.Mode == fleet.Replicated && w.Replicas > 0:
		d.bad(a, fmt.Sprintf("The update would begin with %d canaries, and there are %d replicas.", u.Canary, w.Replicas), "canary = 1")
	case u.AutoPromote && a == nil:
		d.bad(auto, "auto_promote is about canaries, and without canary there are none.", "canary = 1")
	}
}

// portion reads a number of replicas, or a percentage of them.
func (d *decoder) portion(name string, def fleet.Amount, least int) fleet.Amount {
	v, a, ok := d.plain(name)
	if !ok {
		return def
	}
	if v.Type() == cty.String && strings.HasSuffix(strings.TrimSpace(v.AsString()), "%") {
		digits := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v.AsString()), "%"))
		n, err := strconv.Atoi(digits)
		if err != nil || n < least || n > 100 {
			d.bad(a, fmt.Sprintf("%q is not a percentage from %d%% to 100%%, without a fraction.", v.AsString(), least), fmt.Sprintf("%s = \"25%%\"", name))
			return def
		}
		return fleet.Amount{N: n, Percent: true}
	}
	if n, err := convert.Convert(v, cty.Number); err == nil && n.LessThan(cty.NumberIntVal(int64(least))).True() && least > 0 {
		d.bad(a, fmt.Sprintf("%s is at least 1. All at once is \"100%%\".", name), fmt.Sprintf("%s = \"100%%\"", name))
		return def
	}
	before := len(d.diags)
	n, ok := d.toInteger(v, a, int64(least), maxReplicas)
	if !ok {
		if v.Type() == cty.String {
			d.diags = slices.Delete(d.diags, before, len(d.diags))
			d.wrongType(a, `a number of replicas, or a percentage such as "25%"`, v)
		}
		return def
	}
	return fleet.Amount{N: int(n)}
}
