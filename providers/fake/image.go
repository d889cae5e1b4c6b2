package fake

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// Image is an image: what it is called by engines and registries, and what its containers do.
type Image struct {
	ID      string // "sha256:..."
	Digest  string // "sha256:..." by which a registry knows it; empty: it was never in one
	Created time.Time
	Arch    string  // empty: amd64
	Program Program // nil: runs until it is stopped, and then exits with 0
	Server  Server  // nil: listens on no port

	Lives    time.Duration // how long after its start a container ends by itself, by the world's clock; 0: it does not
	DiesWith int           // its status then
}

// NewImage makes an image whose id and digest follow from a seed.
func NewImage(seed string) Image {
	return Image{ID: "sha256:" + hash("image", seed), Digest: "sha256:" + hash("manifest", seed), Created: epoch}
}

// Exiting returns an image whose containers end with a status as soon as they are started.
func (i Image) Exiting(status int) Image {
	i.Program = func(Process) Outcome { return Outcome{Exited: true, Status: status} }
	return i
}

// Dying returns an image whose containers end by themselves with a status, that long after their start by the world's clock.
// It is seen at the next look at their host; the restart policy applies at once.
func (i Image) Dying(after time.Duration, status int) Image {
	i.Lives, i.DiesWith = after, status
	return i
}

// Program is what an image's containers do. It is called, and returns at once, when a container is
// started, for each signal to it, and for each command executed in it.
type Program func(Process) Outcome

// Process is one call of a Program.
type Process struct {
	Args   []string // the container's entrypoint and command, or what is executed
	Exec   bool     // a command executed in a running container
	Signal string   // such as "SIGTERM": a signal to the running container; empty: none
	Env    map[string]string
	Stdin  io.Reader // never nil
	Stdout io.Writer // of a container: its logs
	Stderr io.Writer
	TTY    *providers.TerminalSize // the last size told; nil: no terminal

	// File returns a file's content and mode.
	File func(path string) (content string, mode uint32, ok bool)
	// Resolves reports whether a container that runs on one of this one's networks answers to name.
	Resolves func(name string) bool
}

// Outcome is what became of a Process.
type Outcome struct {
	Exited bool // a container ends; an executed command always does
	Status int
	After  time.Duration // a container that was started ends with Status so long after, by the world's clock; 0: see Image.Lives
}

// Registry is the one registry of a World. It implements providers.Registry, and a Pull of any host asks it.
type Registry struct {
	world *World

	tags     map[string]string // digest by normalised reference; guarded by world.mu
	byDigest map[string]Image  // by repository@digest
	down     error
}

var _ providers.Registry = (*Registry)(nil)

// Push puts an image under a reference; what was there before stays reachable by digest.
func (r *Registry) Push(ref string, i Image) {
	n := r.world.normal(ref)
	r.world.know(i)
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.tags[n] = i.Digest
	r.byDigest[repository(n)+"@"+i.Digest] = i
}

// SetError makes every question end with err, such as providers.ErrRegistry; nil: no longer.
func (r *Registry) SetError(err error) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.down = err
}

// Digest returns the digest that a reference has now.
func (r *Registry) Digest(ctx context.Context, ref string) (digest string, err error) {
	n := r.world.normal(ref)
	err = r.world.do(ctx, Call{Op: OpDigest, Object: ref}, func() error {
		i, err := r.lookup(n, "")
		digest = i.Digest
		return err
	})
	return digest, err
}

// Auth returns nil: the registry takes everybody.
func (r *Registry) Auth(context.Context, string) (*providers.Auth, error) { return nil, nil }

// lookup finds an image by digest where one is given, else by tag.
func (r *Registry) lookup(normal, digest string) (Image, error) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	if r.down != nil {
		return Image{}, r.down
	}
	if digest == "" {
		digest = r.tags[normal]
	}
	i, ok := r.byDigest[repository(normal)+"@"+digest]
	if !ok {
		return Image{}, classed(providers.ErrImageNotFound, "the registry does not have it")
	}
	return i, nil
}

// localImage is an image on one host. Registries know it there under repository@digest only where it
// was pulled: loading gives no digest.
type localImage struct {
	Image
	digests []string // repository@digest
}

// AddImage puts an image on the host under a reference, as a build or a load does: without a digest.
func (h *Host) AddImage(ref string, i Image) {
	n := h.world.normal(ref)
	h.world.know(i)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put(n, i, "")
}

// AddPulled puts an image on the host as a pull does: with its digest.
func (h *Host) AddPulled(ref string, i Image) {
	n := h.world.normal(ref)
	h.world.know(i)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put(n, i, repository(n)+"@"+i.Digest)
}

// RemoveImage takes a reference from the host; the image goes with its last one.
func (h *Host) RemoveImage(ref string) {
	n := h.world.normal(ref)
	h.mu.Lock()
	defer h.mu.Unlock()
	id := h.tags[n]
	delete(h.tags, n)
	for _, other := range h.tags {
		if other == id {
			return
		}
	}
	delete(h.images, id)
}

func (h *Host) put(normal string, i Image, digest string) {
	l := h.images[i.ID]
	if l == nil {
		l = &localImage{Image: i}
		h.images[i.ID] = l
	}
	if digest != "" && !slices.Contains(l.digests, digest) {
		l.digests = append(l.digests, digest)
	}
	h.tags[normal] = i.ID
}

// find looks up an image as an engine does: by id, by digest, by reference.
func (h *Host) find(i fleet.Image) *localImage {
	switch {
	case i.ID != "":
		return h.images[i.ID]
	case i.Digest != "":
		want := repository(h.world.normal(i.Ref)) + "@" + i.Digest
		for _, l := range h.images {
			if slices.Contains(l.digests, want) {
				return l
			}
		}
		return nil
	default:
		return h.images[h.tags[h.world.normal(i.Ref)]]
	}
}

// observeImage describes what the host has under a reference.
func (h *Host) observeImage(ref string) (o fleet.ObservedImage, ok bool) {
	n := h.world.normal(ref)
	l := h.images[h.tags[n]]
	if _, digest, ok := strings.Cut(n, "@"); ok {
		l = h.find(fleet.Image{Ref: ref, Digest: digest})
	} else if l == nil {
		l = h.images[ref]
	}
	if l == nil {
		return o, false
	}
	o = fleet.ObservedImage{Ref: ref, ID: l.ID, Created: l.Created, Arch: l.Arch}
	if o.Arch == "" {
		o.Arch = "amd64"
	}
	prefix := repository(n) + "@"
	for _, d := range l.digests {
		if digest, ok := strings.CutPrefix(d, prefix); ok {
			o.Digests = append(o.Digests, digest)
		}
	}
	return o, true
}
