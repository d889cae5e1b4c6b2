package fake

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/stowage-run/stowage/fleet"
)

// Host is one machine with its engine.
type Host struct {
	world *World
	name  fleet.HostName

	mu         sync.Mutex
	info       fleet.EngineInfo
	down, full bool
	mortal     bool // containers of its end by themselves
	conn       *engine
	journal    journal
	cuts       int                   // how often the streams of events were cut
	containers map[string]*container // by id
	names      map[string]*container
	made       map[string]int // containers made so far, by name: ids follow from it
	volumes    map[string]*volume
	networks   map[string]*network
	images     map[string]*localImage // by id
	tags       map[string]string      // image id by normalised reference
}

type volume struct {
	driver string
	labels map[string]string
}

type network struct {
	id     string
	driver string
	labels map[string]string
}

func newHost(w *World, name fleet.HostName) *Host {
	h := &Host{
		world: w,
		name:  name,
		info: fleet.EngineInfo{
			ID: hash("engine", string(name)), Kind: "fake", Version: "1.0", API: "1.0", OS: "linux", Arch: "amd64",
			Capacity: fleet.Resources{CPU: 64 * fleet.Core, Memory: 256 * fleet.GiB},
		},
		journal:    newJournal(),
		containers: map[string]*container{},
		names:      map[string]*container{},
		made:       map[string]int{},
		volumes:    map[string]*volume{},
		networks:   map[string]*network{},
		images:     map[string]*localImage{},
		tags:       map[string]string{},
	}
	for _, n := range []string{"bridge", "host", "none"} {
		h.networks[n] = &network{id: hash("network", string(name), n), driver: n}
	}
	return h
}

// Name returns the name that the host was made under.
func (h *Host) Name() fleet.HostName { return h.name }

// SetDown makes the host unreachable, which cuts the streams that were opened with Dial and those of events, or reachable again. Its containers
// are not touched.
func (h *Host) SetDown(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
	if down {
		h.cut(nil, errors.New("the host is down"))
		h.journal.wake() // ends the streams of events
	}
}

// SetFull makes creates, pulls, imports and file writes end with ErrNoSpace, or no longer.
func (h *Host) SetFull(full bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.full = full
}

// SetInfo replaces what the engine says of itself: capacity, architecture, id.
func (h *Host) SetInfo(i fleet.EngineInfo) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.info = i
}

// Info returns what the engine says of itself.
func (h *Host) Info() fleet.EngineInfo {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.info
}

// Foreign describes a container that somebody else runs. Only Name is needed.
type Foreign struct {
	Name     string
	Labels   map[string]string
	Ports    []fleet.PublishedPort
	Volumes  []string
	Networks []string    // empty: bridge
	Phase    fleet.Phase // empty: running
}

// AddForeign makes a container of somebody else's and returns its id.
func (h *Host) AddForeign(f Foreign) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.names[f.Name] != nil {
		panic(fmt.Sprintf("fake: %s already has a container %s", h.name, f.Name))
	}
	c := h.add(f.Name, f.Labels)
	c.seen.Phase = cmp.Or(f.Phase, fleet.PhaseRunning)
	c.seen.HostPorts = f.Ports
	c.seen.Restart = fleet.RestartNo
	for _, v := range f.Volumes {
		c.volumes = append(c.volumes, v)
		h.needVolume(v)
	}
	if f.Networks == nil {
		f.Networks = []string{"bridge"}
	}
	for _, n := range f.Networks {
		c.join(n, nil)
	}
	return c.seen.ID
}

// AddVolume makes a volume as a person would, with labels or nil.
func (h *Host) AddVolume(name string, labels map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.volumes[name] = &volume{driver: "local", labels: labels}
}

// AddNetwork makes a network as a person would, with labels or nil.
func (h *Host) AddNetwork(name string, labels map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.networks[name] = &network{id: hash("network", string(h.name), name), driver: "bridge", labels: labels}
}

func (h *Host) needVolume(name string) {
	if h.volumes[name] == nil {
		h.volumes[name] = &volume{driver: "local"}
	}
}

// add makes a container's entry. Its id follows from the host, the name and how often that name was used.
func (h *Host) add(name string, labels map[string]string) *container {
	h.made[name]++
	c := &container{
		networks: map[string][]string{},
		streams:  map[*served]struct{}{},
		changed:  make(chan struct{}),
	}
	c.seen = fleet.Container{
		ID:      hash("container", string(h.name), name, strconv.Itoa(h.made[name])),
		Name:    name,
		Phase:   fleet.PhaseCreated,
		Created: h.world.Now(),
		Labels:  labels,
	}
	if id, err := fleet.ParseLabels(labels); err == nil {
		c.seen.Identity = id
	}
	h.containers[c.seen.ID] = c
	h.names[name] = c
	h.happened(c, fleet.EventCreate)
	return c
}

func (h *Host) drop(c *container) {
	if c.seen.Phase == fleet.PhaseRunning || c.seen.Phase == fleet.PhasePaused {
		h.died(c, 137)
	}
	h.happened(c, fleet.EventDestroy)
	delete(h.containers, c.seen.ID)
	delete(h.names, c.seen.Name)
	c.gone = true
	c.hangUp()
	c.wake()
}

// Container returns the container of a name, as the engine describes it.
func (h *Host) Container(name string) (c fleet.Container, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.age()
	if c := h.names[name]; c != nil {
		return c.seen, true
	}
	return c, false
}

// Containers returns every container, of anybody's, sorted by name.
func (h *Host) Containers() []fleet.Container {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.age()
	all := make([]fleet.Container, 0, len(h.containers))
	for _, c := range h.containers {
		all = append(all, c.seen)
	}
	slices.SortFunc(all, func(a, b fleet.Container) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Request returns what a container was created from; ok is false for foreign ones.
func (h *Host) Request(name string) (s fleet.Spec, i fleet.Instance, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.names[name]
	if c == nil || c.instance.Fleet == "" {
		return s, i, false
	}
	return c.spec, c.instance, true
}

// Env returns the environment of a container of ours, secrets opened.
func (h *Host) Env(name string) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.must(name).env)
}

// File returns a file that was put into a container.
func (h *Host) File(name, path string) (content string, mode uint32, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.names[name]
	if c == nil {
		return "", 0, false
	}
	return c.file(path)
}

// Volumes returns the names of all volumes, sorted.
func (h *Host) Volumes() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.volumes))
}

// Networks returns the names of all networks, the engine's own included, sorted.
func (h *Host) Networks() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.networks))
}

// must returns a container by name or id for a change that a test asks for.
func (h *Host) must(name string) *container {
	c := h.names[name]
	if c == nil {
		c = h.containers[name]
	}
	if c == nil {
		panic(fmt.Sprintf("fake: %s has no container %s", h.name, name))
	}
	return c
}
