package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/fake"
)

// profile is what may go wrong in a run. The parts are of calls.
type profile struct {
	name    string
	kills   int     // processes that may be killed, a change
	lost    float64 // calls whose answer is lost, half of them with their effect
	refused float64 // calls that fail
	slow    float64 // calls that take up to half a minute
	hosts   int     // outages, a change
	crashes int     // containers that end by themselves, and reboots
}

func profiles() []profile {
	return []profile{
		{name: "calm"},
		{name: "kills", kills: 4},
		{name: "lost", kills: 1, lost: 0.04, slow: 0.01},
		{name: "outages", kills: 1, hosts: 2, slow: 0.01},
		{name: "crashes", kills: 1, crashes: 4},
		{name: "everything", kills: 2, lost: 0.02, refused: 0.01, slow: 0.01, hosts: 1, crashes: 2},
	}
}

// orderly reports whether nothing goes wrong that could be held against a release.
func (p profile) orderly() bool { return p.lost+p.refused+p.slow == 0 && p.hosts+p.crashes == 0 }

// hook is what stands between the product and the world.
func (s *Sim) hook() fake.Hook {
	return fake.Hook{Before: s.beforeCall, After: s.afterCall}
}

// named is what a call's fate follows from: what it is, and how often it was made before.
func (s *Sim) named(c fake.Call) string {
	name := fmt.Sprintf("%s|%s|%s", c.Op, c.Host, c.Object)
	s.times[name]++
	return fmt.Sprintf("%s|%d", name, s.times[name])
}

// beforeCall lets a call take its time, and perhaps never arrive.
func (s *Sim) beforeCall(c fake.Call) error {
	s.mu.Lock()
	name := s.named(c)
	s.fates[c.N] = name
	process := s.process
	took := s.chance.between(time.Millisecond, 40*time.Millisecond, name+"|takes")
	if s.faulty && s.chance.part(name+"|slow") < s.profile.slow {
		took = s.chance.between(time.Second, 30*time.Second, name+"|long")
	}
	s.mu.Unlock()
	pass(took)

	s.mu.Lock()
	defer s.mu.Unlock()
	if process.dead && (!c.Op.Mutates() || s.chance.part(name+"|late") < 0.5) {
		return gone(c)
	}
	if !process.dead && c.Op.Mutates() && s.mayDie(process, false) {
		s.die(process, "before "+name)
		return gone(c)
	}
	if s.faulty {
		switch x := s.chance.part(name + "|fault"); {
		case x < s.profile.lost/2:
			s.note("lost before: %s", name)
			return gone(c)
		case c.Op == fake.OpCreate && x > 1-s.profile.refused:
			s.note("refused: %s", name)
			return providers.ErrNoSpace
		}
	}
	s.note("%s", name)
	if c.Op.Mutates() {
		s.watch.looks()
	}
	return nil
}

// afterCall sees what a call has done, and perhaps keeps the answer.
func (s *Sim) afterCall(c fake.Call, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := s.fates[c.N]
	delete(s.fates, c.N)
	if c.Op.Mutates() && s.watch.before != nil {
		s.watch.sees(c)
		s.watch.before = nil
	}
	process := s.process
	switch {
	case process.dead:
		return gone(c)
	case c.Op.Mutates() && s.mayDie(process, true):
		s.die(process, "after "+name)
		return gone(c)
	case err == nil && s.faulty && s.chance.part(name+"|fault") < s.profile.lost:
		s.note("lost after: %s", name)
		return gone(c)
	}
	return err
}

// gone is what a caller learns of a call whose answer does not come.
func gone(c fake.Call) error {
	if c.Op.Mutates() {
		return providers.ErrUnknown
	}
	return providers.ErrUnreachable
}

// accident is something that happens at a time of its own.
type accident struct {
	at time.Duration
	do func()
}

// accidents are those of one change.
func (s *Sim) accidents(n int) (all []accident) {
	for i := range s.profile.hosts {
		key := fmt.Sprintf("outage %d of change %d", i, n)
		hosts := hostNames()
		h := s.world.Host(hosts[s.chance.upTo(len(hosts), key)])
		at := s.chance.between(0, 90*time.Second, key+" at")
		lasts := s.chance.between(time.Second, 100*time.Second, key+" lasts")
		if s.chance.part(key+" for good") < 0.2 {
			lasts = 24 * time.Hour
		}
		all = append(all, accident{at, func() { s.outage(h, true) }}, accident{at + lasts, func() { s.outage(h, false) }})
	}
	for i := range s.profile.crashes {
		key := fmt.Sprintf("crash %d of change %d", i, n)
		all = append(all, accident{s.chance.between(0, 90*time.Second, key+" at"), func() { s.crash(key) }})
	}
	slices.SortFunc(all, func(a, b accident) int { return int(a.at - b.at) })
	return all
}

func (s *Sim) outage(h *fake.Host, down bool) {
	s.note("host %s down: %v", h.Name(), down)
	if down {
		s.watch.faulted(h.Name(), func(standing) bool { return true })
		s.watch.silent(h.Name())
	}
	h.SetDown(down)
}

// crash ends a container of ours, or all of a host.
func (s *Sim) crash(key string) {
	all := s.watch.ours()
	if len(all) == 0 {
		return
	}
	c := all[s.chance.upTo(len(all), key+" whose")]
	if s.chance.part(key+" reboot") < 0.2 {
		s.note("reboot of %s", c.host.Name())
		s.watch.faulted(c.host.Name(), func(standing) bool { return true })
		c.host.Reboot()
		c.host.Start(stranger) // its owner does that
		return
	}
	if c.Phase == fleet.PhaseRunning {
		s.note("crash of %s", c.Name)
		s.watch.faulted(c.host.Name(), func(x standing) bool { return x.ID == c.ID })
		c.host.Crash(c.Name, 1)
	}
}

// misfortune lets accidents happen until ctx ends.
func (s *Sim) misfortune(ctx context.Context, all []accident) {
	begin := time.Now()
	for _, a := range all {
		t := time.NewTimer(a.at - time.Since(begin))
		select {
		case <-t.C:
			s.mu.Lock()
			a.do()
			s.mu.Unlock()
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// pass lets time pass.
func pass(d time.Duration) {
	t := time.NewTimer(d)
	<-t.C
}
