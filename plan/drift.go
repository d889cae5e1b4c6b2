package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// drift notes one difference between what is recorded and what is there.
func (m *maker) drift(s *slot, h fleet.HostName, what, will string) {
	m.plan.Drift = append(m.plan.Drift, Drift{Addr: s.addr(), Host: h, What: what, Will: will})
}

// look compares a container with what was sent. fate is what happens to the container anyway; where it is
// empty, the slot's fixes are set to what brings it back.
//
// An image is not compared: a container's image cannot change, the labels say what it was made from, and
// one image has different ids in different engines' stores, so comparing them finds what is not there.
func (m *maker) look(s *slot, fate string) {
	c := s.have.Container
	m.lookPhase(s, c, fate)
	if c.Phase == fleet.PhaseDead || c.Phase == fleet.PhaseRemoving {
		return
	}
	if g := c.Identity; !named(c.Name, m.plan.Name, g) {
		name := fleet.ContainerName(m.plan.Name, g.Replica, g.Generation)
		will := "be renamed back"
		if m.host(s.have.Host).holdsName(name) {
			will = ""
		}
		s.fix.rename = m.correct(s, fmt.Sprintf("renamed to %q", c.Name), will, fate)
	}
	spec := m.sent(s)
	if spec == nil {
		return
	}
	m.lookLimits(s, spec, fate)
	m.lookNetworks(s, spec, fate)
}

// named reports whether a container has the name that its identity gives it. It runs for every container of
// the fleet, so it makes no string.
func named(name string, f fleet.Name, id fleet.Identity) bool {
	rest, ok := strings.CutPrefix(name, string(f))
	if !ok || rest == "" || rest[0] != '-' {
		return false
	}
	i := strings.LastIndex(rest, "-g")
	if i < 0 || !isNumber(rest[i+2:], int(id.Generation)) {
		return false
	}
	rest = rest[1:i]
	j := strings.LastIndexByte(rest, '-')
	if j < 0 || !isNumber(rest[j+1:], int(id.Replica.Slot)) {
		return false
	}
	w := string(id.Replica.Workload)
	return rest[:j] == w && !strings.ContainsAny(w, `["]`) || rest[:j] == fleet.Flat(w)
}

// isNumber reports whether s is n in decimal.
func isNumber(s string, n int) bool {
	if s == "" || len(s) > 1 && s[0] == '0' || len(s) > 10 {
		return false
	}
	v := 0
	for _, d := range []byte(s) {
		if d < '0' || d > '9' {
			return false
		}
		v = v*10 + int(d-'0')
	}
	return v == n
}

// correct notes a drift and reports whether a step should undo it.
func (m *maker) correct(s *slot, what, will, fate string) bool {
	if fate != "" {
		will = fate
	}
	m.drift(s, s.have.Host, what, will)
	return fate == "" && will != ""
}

// sent is the spec that the slot's container was last sent; nil where nobody remembers.
func (m *maker) sent(s *slot) *fleet.Spec {
	r := s.have.Revision()
	if s.work.want != nil && r == s.work.rev {
		return &s.work.want.Spec
	}
	if sp, ok := m.snap.Specs[r]; ok {
		return &sp
	}
	return nil
}

// lookPhase: what should run and does not is started, unless it ended by itself where that is allowed. What the
// engine is about to restart is left to it.
func (m *maker) lookPhase(s *slot, c *fleet.Container, fate string) {
	switch c.Phase {
	case fleet.PhasePaused:
		s.fix.unpause = m.correct(s, "paused", "be unpaused", fate)
	case fleet.PhaseRestarting:
		m.drift(s, s.have.Host, fmt.Sprintf("ends as soon as it is started (exit status %d, %d restarts); the engine goes on trying", c.ExitCode, c.Restarts), fate)
	case fleet.PhaseDead, fleet.PhaseRemoving:
		m.drift(s, s.have.Host, string(c.Phase), fate)
	case fleet.PhaseCreated:
		if s.adopt { // of a run that was cut off; nobody did this by hand
			s.fix.start = fate == ""
			return
		}
		s.fix.start = m.correct(s, "never started"+trouble(c), "be started", fate)
	case fleet.PhaseExited:
		s.fix.start = m.correct(s, fmt.Sprintf("stopped (exit status %d%s)%s", c.ExitCode, outOfMemory(c), trouble(c)), m.afterExit(s, c), fate)
	}
}

func outOfMemory(c *fleet.Container) string {
	if c.OOMKilled {
		return ", out of memory"
	}
	return ""
}

func trouble(c *fleet.Container) string {
	if c.Error == "" {
		return ""
	}
	return ": " + c.Error
}

// afterExit says what becomes of a container that ended; empty: it may stay so.
func (m *maker) afterExit(s *slot, c *fleet.Container) string {
	restart := c.Restart
	if sp := m.sent(s); sp != nil && sp.Restart != "" {
		restart = sp.Restart
	}
	if restart == fleet.RestartNo || restart == fleet.RestartOnFailure && c.ExitCode == 0 {
		return ""
	}
	return "be started again"
}

// lookLimits compares what the engine can change, and somebody else may have: with what the spec set, never with
// an engine's defaults.
func (m *maker) lookLimits(s *slot, spec *fleet.Spec, fate string) {
	is, want := s.have.Container.Limits, spec.Limits
	is.PidsLimit = max(is.PidsLimit, 0)
	note := func(what, from, to string, lifted bool) {
		will, fix := "be set back", &s.fix.update
		if lifted && !m.judge.LiftLimits || !m.judge.Limits {
			will, fix = "be replaced, since the limit cannot be taken away", &s.fix.replace
		}
		*fix = m.correct(s, fmt.Sprintf("%s changed from %s to %s", what, from, to), will, fate) || *fix
	}
	if is.CPU != want.CPU {
		note("cpu_max", limit(want.CPU, want.CPU == 0), limit(is.CPU, is.CPU == 0), want.CPU == 0)
	}
	if is.Memory != want.Memory {
		note("memory_max", limit(want.Memory, want.Memory == 0), limit(is.Memory, is.Memory == 0), want.Memory == 0)
	}
	if is.PidsLimit != want.PidsLimit {
		note("pids_limit", limit(count(want.PidsLimit), want.PidsLimit == 0), limit(count(is.PidsLimit), is.PidsLimit == 0), want.PidsLimit == 0)
	}
	if r := s.have.Container.Restart; spec.Restart != "" && r != "" && r != spec.Restart {
		note("restart", string(spec.Restart), string(r), false)
	}
}

type count int64

func (c count) String() string { return fmt.Sprint(int64(c)) }

func limit(v fmt.Stringer, none bool) string {
	if none {
		return "no limit"
	}
	return v.String()
}

// lookNetworks compares the networks that a container is on. The one that an engine puts everybody on by itself is
// nobody's doing.
func (m *maker) lookNetworks(s *slot, spec *fleet.Spec, fate string) {
	if spec.NetworkMode == "host" || spec.NetworkMode == "none" {
		return
	}
	is := s.have.Container.Networks
	for _, n := range spec.Networks {
		engine := fleet.NetworkOn(m.plan.Name, n)
		if !slices.Contains(is, engine) && m.correct(s, "disconnected from "+string(fleet.NetworkAddr(n)), "be connected again", fate) {
			s.fix.connect = append(s.fix.connect, engine)
		}
	}
	for _, engine := range is {
		if m.sends(spec, engine) || len(spec.Networks) == 0 && slices.Contains(m.judge.DefaultNetworks, engine) {
			continue
		}
		if m.correct(s, fmt.Sprintf("connected to foreign network %q", engine), "be disconnected", fate) {
			s.fix.disconnect = append(s.fix.disconnect, engine)
		}
	}
}

// sends reports whether the spec puts the container on a network.
func (m *maker) sends(spec *fleet.Spec, engine string) bool {
	return slices.ContainsFunc(spec.Networks, func(n fleet.NetworkName) bool { return fleet.NetworkOn(m.plan.Name, n) == engine })
}
