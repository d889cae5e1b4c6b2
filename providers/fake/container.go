package fake

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// container is one container; its host's mutex guards it.
type container struct {
	seen     fleet.Container // its slices and maps are replaced, never changed: observations share them
	spec     fleet.Spec
	instance fleet.Instance
	env      map[string]string
	files    map[string]fileOf
	volumes  []string
	networks map[string][]string // aliases by network
	program  Program
	server   Server
	streams  map[*served]struct{} // open ones
	lives    time.Duration        // 0: for ever
	diesWith int
	args     []string
	stopped  bool // by somebody, so that the restart policy does not apply
	gone     bool

	log     []providers.LogLine
	changed chan struct{} // closed when log, phase or gone change
}

type fileOf struct {
	content string
	mode    uint32
}

func (c *container) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *container) file(path string) (content string, mode uint32, ok bool) {
	f, ok := c.files[path]
	return f.content, f.mode, ok
}

func (c *container) join(network string, aliases []string) {
	c.networks[network] = aliases
	c.seen.Networks = slices.Sorted(maps.Keys(c.networks))
}

func (c *container) leave(network string) {
	delete(c.networks, network)
	c.seen.Networks = slices.Sorted(maps.Keys(c.networks))
}

// live reports whether the container has a process or is about to: it holds its ports and networks then.
func (c *container) live() bool {
	switch c.seen.Phase {
	case fleet.PhaseRunning, fleet.PhasePaused, fleet.PhaseRestarting:
		return true
	}
	return false
}

// start makes a container that does not run run, and runs its program once.
func (h *Host) start(c *container) error {
	for n := range c.networks {
		if h.networks[n] == nil {
			return classed(providers.ErrNotFound, "network "+n+" not found")
		}
	}
	for _, p := range c.seen.HostPorts {
		if other := h.holder(p, c); other != nil {
			return classed(providers.ErrPortTaken,
				fmt.Sprintf("%d/%s is held by container %s", p.Host, p.Protocol, other.seen.Name))
		}
	}
	c.stopped = false
	c.seen.Phase = fleet.PhaseRunning
	c.seen.Started = h.world.Now()
	c.seen.ExitCode, c.seen.Error, c.seen.OOMKilled = 0, "", false
	h.happened(c, fleet.EventStart)
	switch o := h.run(c, ""); {
	case o.Exited:
		h.exit(c, o.Status)
	case o.After > 0:
		c.lives, c.diesWith, h.mortal = o.After, o.Status, true
	}
	c.wake()
	return nil
}

// holder returns the live container, other than c, that holds a port of the host.
func (h *Host) holder(p fleet.PublishedPort, c *container) *container {
	for _, other := range h.containers {
		if other == c || !other.live() {
			continue
		}
		for _, q := range other.seen.HostPorts {
			if p.Host == q.Host && p.Protocol == q.Protocol && (p.Bind == q.Bind || every(p.Bind) || every(q.Bind)) {
				return other
			}
		}
	}
	return nil
}

// every reports whether a bind address means all addresses of the host.
func every(bind string) bool { return bind == "" || bind == "0.0.0.0" || bind == "::" }

// exit ends a container's process and applies its restart policy, which never succeeds: a program
// that ends when it is started ends again.
func (h *Host) exit(c *container, status int) {
	c.seen.Phase, c.seen.ExitCode = fleet.PhaseExited, status
	h.died(c, status)
	c.hangUp()
	again := c.seen.Restart == fleet.RestartAlways || c.seen.Restart == fleet.RestartOnFailure && status != 0
	if again && !c.stopped {
		c.seen.Phase = fleet.PhaseRestarting
		c.seen.Restarts++
	}
	c.wake()
}

// age ends what has come to its end by itself since the last look, and starts again what is to be started again.
func (h *Host) age() {
	if !h.mortal {
		return
	}
	now := h.world.Now()
	for _, id := range slices.Sorted(maps.Keys(h.containers)) {
		c := h.containers[id]
		if c.lives > 0 && c.seen.Phase == fleet.PhaseRunning && now.Sub(c.seen.Started) >= c.lives {
			h.crash(c, c.diesWith)
		}
	}
}

// crash ends a container's process by itself; its restart policy applies at once.
func (h *Host) crash(c *container, status int) {
	h.exit(c, status)
	if c.seen.Phase == fleet.PhaseRestarting {
		if err := h.start(c); err != nil {
			c.seen.Error = err.Error()
		}
	}
}

// signal gives a signal to a live container's program.
func (h *Host) signal(c *container, signal string) {
	stop := signal == "SIGKILL" || signal == stopSignal(c)
	switch {
	case signal == "SIGKILL":
		c.stopped = true
		h.exit(c, 137)
	case c.program == nil && stop:
		c.stopped = true
		h.exit(c, 0)
	case c.program != nil:
		if o := h.run(c, signal); o.Exited {
			c.stopped = c.stopped || stop
			h.exit(c, o.Status)
		}
	}
}

// stop gives the signal and kills what does not end by it.
func (h *Host) stop(c *container, signal string) {
	c.stopped = true
	defer h.happened(c, fleet.EventStop)
	if c.seen.Phase == fleet.PhaseRestarting {
		c.seen.Phase = fleet.PhaseExited
		c.wake()
		return
	}
	if signal == "" {
		signal = stopSignal(c)
	}
	h.signal(c, fullSignal(signal))
	if c.live() {
		c.stopped = true
		h.exit(c, 137)
	}
}

func stopSignal(c *container) string {
	if c.spec.StopSignal != "" {
		return fullSignal(c.spec.StopSignal)
	}
	return "SIGTERM"
}

// fullSignal writes "hup" as "SIGHUP".
func fullSignal(s string) string {
	s = strings.ToUpper(s)
	if !strings.HasPrefix(s, "SIG") {
		s = "SIG" + s
	}
	return s
}

// run calls a container's program, with the host locked.
func (h *Host) run(c *container, signal string) Outcome {
	if c.program == nil {
		return Outcome{}
	}
	out := &logWriter{host: h, c: c}
	errs := &logWriter{host: h, c: c, stderr: true}
	o := c.program(Process{
		Args: c.args, Signal: signal, Env: c.env,
		Stdin: strings.NewReader(""), Stdout: out, Stderr: errs,
		File:     c.file,
		Resolves: func(name string) bool { return h.resolves(c, name) },
	})
	out.flush()
	errs.flush()
	return o
}

// resolves reports whether a live container on one of c's networks answers to name.
func (h *Host) resolves(c *container, name string) bool {
	for n := range c.networks {
		if n == "bridge" || n == "host" || n == "none" {
			continue
		}
		for _, other := range h.containers {
			aliases, on := other.networks[n]
			if on && other.live() && (other.seen.Name == name || slices.Contains(aliases, name)) {
				return true
			}
		}
	}
	return false
}

// logWriter turns output into log lines; its host is locked while it is written to.
type logWriter struct {
	host   *Host
	c      *container
	stderr bool
	rest   string
}

func (w *logWriter) Write(p []byte) (int, error) {
	lines := strings.Split(w.rest+string(p), "\n")
	w.rest = lines[len(lines)-1]
	for _, l := range lines[:len(lines)-1] {
		w.c.print(w.host, l, w.stderr)
	}
	return len(p), nil
}

func (w *logWriter) flush() {
	if w.rest != "" {
		w.c.print(w.host, w.rest, w.stderr)
		w.rest = ""
	}
}

func (c *container) print(h *Host, text string, stderr bool) {
	c.log = append(c.log, providers.LogLine{Time: h.world.Now(), Stderr: stderr, Text: text})
	c.wake()
}

// open returns the environment and files of a spec with every secret opened.
func open(texts map[string]fleet.Text, files []fleet.File, v fleet.Vault) (map[string]string, map[string]fileOf, error) {
	env := make(map[string]string, len(texts))
	for k, t := range texts {
		s, ok := v.Open(t)
		if !ok {
			return nil, nil, classed(providers.ErrSecret, "environment variable "+k)
		}
		env[k] = s
	}
	opened := make(map[string]fileOf, len(files))
	for _, f := range files {
		s, ok := v.Open(f.Content)
		if !ok {
			return nil, nil, classed(providers.ErrSecret, "file "+f.Path)
		}
		opened[f.Path] = fileOf{s, f.Mode}
	}
	return env, opened, nil
}

// errClosed is the cause where the connection was closed by its owner.
var errClosed = errors.New("the connection is closed")

// stopReading makes a reader fail once done reports an error.
type stopReading struct {
	r    io.Reader
	done func() error
}

func (s stopReading) Read(p []byte) (int, error) {
	if err := s.done(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}
