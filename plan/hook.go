package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// A hook is a container of its own beside a workload's replicas: a slot of its own (see fleet.HookKind.Slot) that is filled by a
// Run, emptied by the Complete after it, and never wanted in between. So whatever a run that was cut off has left of one is found
// by the next plan, which waits for it where its rollout goes on, and else removes it. It is no change: the rollout's line tells
// of it.
//
// What pre_deploy and post_deploy have to say belongs to the rollout, which fails with them. on_failure runs when it has failed, and
// at the beginning of the next plan, which is that of the way back where there is one: whoever makes it.

// isHook reports whether a slot is that of a hook.
func (s *slot) isHook() bool {
	_, ok := s.id.Slot.Hook()
	return ok
}

// decideHook removes what a run that was cut off has left of a hook, unless emitHook finds that its rollout goes on.
func (m *maker) decideHook(s *slot) {
	switch h := s.have; {
	case !m.sel.slot(s):
		s.left = true
	case h == nil:
	case h.Presence == Unknown:
		s.left = true
		m.owe(h.Host, "remove what is left of "+string(s.addr()))
	case h.Presence == Seen:
		s.adopt = !h.Recorded()
		s.action, s.reason = Delete, "its rollout no longer waits for it"
	case h.Record != nil:
		s.action, s.reason = Forget, "it is over"
	}
}

// emitBefore makes the steps of the hook that runs before anything of a rollout changes.
func (m *maker) emitBefore(w *work, r Rollout) {
	if r.To == "" || r.Back || !m.replicasChange(w) {
		return
	}
	w.pre = m.emitHook(w, w, m.hookOf(w, fleet.HookPreDeploy, r), false, m.dependenciesReady(w)...)
}

// emitAfter makes the steps of the hook that runs once every replica of a rollout is healthy.
func (m *maker) emitAfter(w *work, r Rollout) {
	if r.To == "" || r.Back || w.waits || !m.sel.object(w.addr) || !r.Goes && !m.replicasChange(w) {
		return
	}
	needs := append(slices.Clone(w.before), w.last, w.pre)
	m.emitHook(w, w, m.hookOf(w, fleet.HookPostDeploy, r), w.want.Update.OnFailure == fleet.FailureContinue, needs...)
}

// emitFailed makes the steps of the hook of a rollout that has failed, before its way back. What it ends with changes nothing.
func (m *maker) emitFailed(w *work, r Rollout) {
	rec, ok := m.snap.Rollouts[w.name]
	if !ok || r.To != "" && !r.Back || m.opt.Mode != Normal || w.want == nil || !m.sel.object(w.addr) {
		return
	}
	hook := rec.Due()
	if hook == nil {
		return
	}
	failed := &work{name: w.name, addr: w.addr, want: rec.New, old: w.old, rev: rec.New.Spec.Digest(), slots: w.slots, pre: -1}
	for _, n := range rec.New.Spec.Networks {
		if failed.networks == nil {
			failed.networks = map[string]string{}
		}
		failed.networks[string(n)] = fleet.NetworkOn(m.plan.Name, n)
	}
	w.pre = m.emitHook(w, failed, hook, true)
}

// hookOf returns a hook that is still to run in a rollout, or nil.
func (m *maker) hookOf(w *work, k fleet.HookKind, r Rollout) *fleet.Hook {
	if rec, ok := m.snap.Rollouts[w.name]; ok && r.Goes && slices.Contains(rec.Ran, k) {
		return nil
	}
	return w.want.Hook(k)
}

// replicasChange reports whether any replica of a workload changes.
func (m *maker) replicasChange(w *work) bool {
	return slices.ContainsFunc(w.slots, func(s slot) bool {
		return !s.left && !s.isHook() && s.wanted() && s.action != "" && s.action != Adopt
	})
}

// hookHost is the slot on whose host, and with whose volumes, a hook runs: the first that changes, else the first that there is.
func (m *maker) hookHost(w, of *work) (s *slot, on fleet.HostName) {
	for _, changed := range []bool{true, false} {
		for i := range w.slots {
			s := &w.slots[i]
			if s.isHook() || changed && (s.left || s.action == "" || s.action == Adopt || !s.wanted()) {
				continue
			}
			on := fleet.HostName("")
			switch {
			case of == w && s.wanted():
				on = s.place.Host
			case of != w && s.have != nil && s.have.Presence == Seen:
				on = s.have.Host
			}
			if on != "" && m.host(on).known() && m.hasHook(on, of) {
				return s, on
			}
		}
	}
	return nil, ""
}

// hasHook reports whether a host has what a hook needs that comes from a release which has failed: nothing is brought there for it.
func (m *maker) hasHook(on fleet.HostName, of *work) bool {
	if of == m.byName[of.name] {
		return true
	}
	seen, ok := findImage(m.host(on).obs, of.want.Spec.Image.Ref)
	if ok && (seen.Matches(of.want.Spec.Image) || m.sameImage(seen, of.want.Spec.Image)) {
		return true
	}
	_, kept := findImage(m.host(on).obs, pinRef(of.want.Spec.Image))
	return kept
}

// emitHook makes the steps of a hook, and returns the last; -1: there is no hook, or no host for it. of is the workload as the
// hook's is: w, or what w was when it failed.
func (m *maker) emitHook(w, of *work, hook *fleet.Hook, lenient bool, needs ...int) int {
	if hook == nil {
		return -1
	}
	on, name := m.hookHost(w, of)
	if on == nil {
		m.warn(diag.Diagnostic{Code: diag.CodeImageNotFound, Summary: "A hook does not run",
			Detail: fmt.Sprintf("No host has a replica of %s and the image of its hook %s.", w.addr, hook.Kind)})
		return -1
	}
	spec := of.want.HookSpec(hook)
	h := &hooking{maker: m, of: of, hook: hook, on: on, host: m.host(name), spec: &spec, rev: spec.Digest(), lenient: lenient}
	if m.hooks == nil {
		m.hooks = map[fleet.Revision]fleet.Spec{}
	}
	m.hooks[h.rev] = spec
	w.hooked = append(w.hooked, fmt.Sprintf("%s on %s", hook.Kind, name))
	id := fleet.ReplicaID{Workload: w.name, Slot: hook.Kind.Slot()}
	s := m.slotOf(id)
	if s != nil && s.adopt && !s.left && s.gate < 0 {
		m.emitAdopt(s)
		s.adopt = false
	}
	switch {
	case s == nil || s.have == nil || s.have.Presence != Seen:
		s = &slot{id: id, work: of, gate: -1, end: -1}
	case !s.left && s.have.Revision() == h.rev && s.container().Phase != fleet.PhaseDead && s.container().Phase != fleet.PhaseRemoving:
		return h.wait(s, needs)
	default:
		m.emitDelete(s)
		needs = append(needs, m.last(s))
		s.left = true // and need not be told
		s = &slot{id: id, work: of, gate: -1, end: -1}
	}
	return h.start(s, needs)
}

// hooking is a hook whose steps are being made.
type hooking struct {
	*maker
	of      *work
	hook    *fleet.Hook
	on      *slot // beside which it runs
	host    *host
	spec    *fleet.Spec
	rev     fleet.Revision
	lenient bool
}

// start makes the steps that fill the hook's slot, and empty it again.
func (h *hooking) start(s *slot, needs []int) int {
	m := h.maker
	s.reason = "hook of release " + fmt.Sprint(m.plan.Release)
	fetch, image := m.image(h.host, h.of)
	gen := fleet.Generation(m.plan.Release)
	m.nameTaken(h.host, s, gen)
	inst := m.instances.put(fleet.Instance{
		Fleet: m.plan.Fleet, FleetName: m.plan.Name, Replica: s.id, Generation: gen, Revision: h.rev,
		Release: m.plan.Release, Networks: h.of.networks,
	})
	beside := *h.on
	beside.work = h.of
	needs = append(needs, fetch)
	needs = append(needs, m.networksFor(h.host, h.of)...)
	needs = append(needs, m.volumesFor(h.host, &beside, inst)...)
	rec := m.replicas.put(state.Replica{
		Replica: s.id, Generation: gen, Host: h.host.Name, Revision: h.rev, Release: m.plan.Release, Reason: s.reason,
	})
	run := m.step(s, Step{
		Kind: KindRun, Host: h.host.Name, Instance: inst, Image: image, Ends: true, Lenient: h.lenient, Record: Record{PutReplica: rec},
	}, needs...)
	return m.step(s, Step{
		Kind: KindComplete, Host: h.host.Name, Instance: inst, Lenient: h.lenient,
		Complete: &Complete{Timeout: h.hook.Timeout, Grace: h.of.stopTimeout(), Hook: h.hook.Kind},
		Record:   Record{PutReplica: rec, DeleteReplica: &s.id},
	}, run)
}

// wait makes the step that waits for a hook which a run that was cut off has begun.
func (h *hooking) wait(s *slot, needs []int) int {
	m := h.maker
	s.action, s.reason = "", "was begun by a run that was cut off"
	rec := m.adopted(s)
	c := &Complete{Timeout: h.hook.Timeout, Grace: h.of.stopTimeout(), Hook: h.hook.Kind}
	if s.have.Recorded() {
		c.Failed, c.Counted, c.Begun = s.have.Record.Failed, s.have.Record.Counted, s.have.Record.Changed
	}
	return m.step(s, Step{
		Kind: KindComplete, Host: s.have.Host, Container: m.named(s.have.Container), Lenient: h.lenient, Complete: c,
		Record: Record{PutReplica: m.replicas.put(rec), DeleteReplica: &s.id},
	}, append(needs, s.gate)...)
}

// specOf is the spec of what a step makes or writes.
func (m *maker) specOf(i *fleet.Instance) fleet.Spec {
	if s, ok := m.hooks[i.Revision]; ok {
		return s
	}
	return m.work(i.Replica.Workload).want.Spec
}

// hookText tells of a workload's hooks in the line of its rollout.
func (w *work) hookText() string { return "hooks: " + strings.Join(w.hooked, ", ") }
