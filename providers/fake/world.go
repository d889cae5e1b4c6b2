package fake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// Epoch is when a World's clock stands where it is given none.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// World is any number of hosts and one registry. It implements providers.Connector.
type World struct {
	clock    func() time.Time
	registry *Registry

	mu       sync.Mutex
	hosts    map[fleet.HostName]*Host
	images   map[string]Image  // by id: what an export stream refers to
	refs     map[string]string // normalised references, by what was asked
	hook     Hook
	faults   []*Fault
	counts   map[Op]int
	calls    int
	changes  int // mutations begun
	killAt   int // the change at which this process dies; 0: none
	killWhen When
	killed   bool
}

var _ providers.Connector = (*World)(nil)

// NewWorld makes a world with the hosts named; others are added by Host. clock is read for every
// time that the world writes down; nil: it always is 2026-01-01T00:00:00Z.
func NewWorld(clock func() time.Time, hosts ...fleet.HostName) *World {
	if clock == nil {
		clock = func() time.Time { return epoch }
	}
	w := &World{
		clock:  clock,
		hosts:  map[fleet.HostName]*Host{},
		images: map[string]Image{},
		refs:   map[string]string{},
		counts: map[Op]int{},
	}
	w.registry = &Registry{world: w, tags: map[string]string{}, byDigest: map[string]Image{}}
	for _, n := range hosts {
		w.Host(n)
	}
	return w
}

// Host returns the host of a name, which is made where there is none: up, with 64 cores and 256 GiB,
// the networks bridge, host and none, and nothing else.
func (w *World) Host(name fleet.HostName) *Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[name]
	if h == nil {
		h = newHost(w, name)
		w.hosts[name] = h
	}
	return h
}

// Hosts returns all hosts, sorted by name.
func (w *World) Hosts() []*Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*Host
	for _, n := range slices.Sorted(maps.Keys(w.hosts)) {
		all = append(all, w.hosts[n])
	}
	return all
}

// Alias makes another name lead to a host: two entries of a configuration, one machine.
func (w *World) Alias(alias fleet.HostName, h *Host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[alias] = h
}

// Registry returns the registry that all hosts pull from.
func (w *World) Registry() *Registry { return w.registry }

// Engine connects to a host by its name. A host that the world does not have is unreachable.
// It takes part in faults and hooks as OpConnect.
func (w *World) Engine(ctx context.Context, h fleet.Host) (providers.Engine, error) {
	w.mu.Lock()
	host := w.hosts[h.Name]
	w.mu.Unlock()
	c := Call{Op: OpConnect, Host: h.Name}
	var e *engine
	err := w.do(ctx, c, func() error {
		if host == nil {
			return classed(providers.ErrUnreachable, "no host of this name")
		}
		host.mu.Lock()
		defer host.mu.Unlock()
		if host.down {
			return classed(providers.ErrUnreachable, "the host is down")
		}
		if host.conn == nil || host.conn.closed {
			host.conn = &engine{host: host, as: h.Name}
		}
		e = host.conn
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Now returns the world's time.
func (w *World) Now() time.Time { return w.clock() }

// normal returns a reference in full: "nginx" is docker.io/library/nginx:latest. What is no reference
// stays as it is.
func (w *World) normal(ref string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, ok := w.refs[ref]
	if !ok {
		n = ref
		if named, err := reference.ParseNormalizedNamed(ref); err == nil {
			n = reference.TagNameOnly(named).String()
		}
		w.refs[ref] = n
	}
	return n
}

// repository is what stands before the tag or digest of a normalised reference.
func repository(normal string) string {
	normal, _, _ = strings.Cut(normal, "@")
	if i := strings.LastIndexByte(normal, ':'); i > strings.LastIndexByte(normal, '/') {
		normal = normal[:i]
	}
	return normal
}

// know remembers an image for streams made by Export.
func (w *World) know(i Image) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.images[i.ID] = i
}

func (w *World) image(id string) (Image, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, ok := w.images[id]
	return i, ok
}

// hash makes an id of 64 digits out of words.
func hash(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return hex.EncodeToString(sum[:])
}

// classed is an error of a class whose operation and object do fills in.
func classed(class error, text string) error {
	e := &providers.Error{Class: class}
	if text != "" {
		e.Err = errors.New(text)
	}
	return e
}
