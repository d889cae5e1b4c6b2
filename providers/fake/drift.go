package fake

import (
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// The methods below are what people and accidents do to a host behind our back. They take a
// container's name or id and panic where the host has none: the test is wrong then. No hook sees them
// and no fault touches them.

// Stop stops a container as `docker stop` does.
func (h *Host) Stop(name string) {
	h.change(name, func(c *container) {
		if c.live() {
			h.stop(c, "")
		}
	})
}

// Kill kills a container as `docker kill` does: its restart policy does not apply.
func (h *Host) Kill(name string) {
	h.change(name, func(c *container) {
		if c.live() {
			h.signal(c, "SIGKILL")
		}
	})
}

// Crash ends a container's process by itself with a status; its restart policy applies at once.
func (h *Host) Crash(name string, status int) {
	h.change(name, func(c *container) { h.crash(c, status) })
}

// OOM ends a container's process as the kernel does for want of memory; its restart policy applies at once.
func (h *Host) OOM(name string) {
	h.change(name, func(c *container) {
		c.seen.OOMKilled = true
		h.happened(c, fleet.EventOOM)
		h.crash(c, 137)
	})
}

// Start starts a container; what keeps it from starting is in its Error.
func (h *Host) Start(name string) {
	h.change(name, func(c *container) {
		if !c.live() {
			if err := h.start(c); err != nil {
				c.seen.Error = err.Error()
			}
		}
	})
}

// Pause freezes a running container.
func (h *Host) Pause(name string) {
	h.change(name, func(c *container) {
		c.seen.Phase = fleet.PhasePaused
		h.happened(c, fleet.EventPause)
	})
}

// Rename gives a container another name, which must be free.
func (h *Host) Rename(name, to string) {
	h.change(name, func(c *container) {
		if err := h.rename(c, to); err != nil {
			panic("fake: " + err.Error())
		}
	})
}

// Update changes limits and restart policy as `docker update` does.
func (h *Host) Update(name string, l fleet.Limits, r fleet.Restart) {
	h.change(name, func(c *container) {
		c.seen.Limits, c.seen.Restart = l, r
		h.happened(c, fleet.EventUpdate)
	})
}

// Connect attaches a container to a network, which is made where there is none.
func (h *Host) Connect(name, to string) {
	h.change(name, func(c *container) {
		if h.networks[to] == nil {
			h.networks[to] = &network{id: hash("network", string(h.name), to), driver: "bridge"}
		}
		c.join(to, nil)
	})
}

// Disconnect takes a container off a network.
func (h *Host) Disconnect(name, from string) {
	h.change(name, func(c *container) { c.leave(from) })
}

// Remove removes a container as `docker rm -f` does.
func (h *Host) Remove(name string) {
	h.change(name, func(c *container) { h.drop(c) })
}

// SetHealth makes the engine's health check say something: "", "starting", "healthy", "unhealthy".
func (h *Host) SetHealth(name, health string) {
	h.change(name, func(c *container) {
		if c.seen.Health != health {
			c.seen.Health = health
			h.happened(c, fleet.EventHealth, func(ev *fleet.Event) { ev.Health = health })
		}
	})
}

// Print adds lines to a container's standard output.
func (h *Host) Print(name string, lines ...string) {
	h.change(name, func(c *container) {
		for _, l := range lines {
			c.print(h, l, false)
		}
	})
}

// RemoveVolume removes a volume and its data, whoever uses it.
func (h *Host) RemoveVolume(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.volumes, name)
}

// RemoveNetwork removes a network, whoever is on it.
func (h *Host) RemoveNetwork(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.networks, name)
}

// Reboot ends every container and starts again those that the engine starts at boot: what ran and has
// a policy of always, or of on-failure, in the order of their names. The engine forgets its events.
func (h *Host) Reboot() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.restartEngine()
	var again []*container
	for _, c := range h.containers {
		if !c.live() {
			continue
		}
		if c.seen.Restart == fleet.RestartAlways || c.seen.Restart == fleet.RestartOnFailure {
			again = append(again, c)
		}
		c.seen.Phase, c.seen.ExitCode = fleet.PhaseExited, 137
		c.hangUp()
		c.wake()
	}
	slices.SortFunc(again, func(a, b *container) int { return strings.Compare(a.seen.Name, b.seen.Name) })
	for _, c := range again {
		if err := h.start(c); err != nil {
			c.seen.Error = err.Error()
		}
	}
}

func (h *Host) change(name string, do func(c *container)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.must(name)
	do(c)
	c.wake()
}
