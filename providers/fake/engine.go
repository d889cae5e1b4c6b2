package fake

import (
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// engine is a connection to a host's engine.
type engine struct {
	host   *Host
	as     fleet.HostName // the name that it was connected under
	closed bool           // guarded by host.mu
}

var _ providers.Engine = (*engine)(nil)

// do makes one call with the host locked.
func (e *engine) do(ctx context.Context, op Op, object string, effect func(h *Host) error) error {
	h := e.host
	return h.world.do(ctx, Call{Op: op, Host: e.as, Object: object}, e.locked(effect))
}

// on makes one call on the container of an id with the host locked; effect gets nil where there is none.
func (e *engine) on(ctx context.Context, op Op, id string, effect func(h *Host, c *container) error) error {
	h := e.host
	object := id
	h.mu.Lock()
	if c := h.containers[id]; c != nil {
		object = c.seen.Name
	}
	h.mu.Unlock()
	return h.world.doID(ctx, Call{Op: op, Host: e.as, Object: object}, id,
		e.locked(func(h *Host) error { return effect(h, h.containers[id]) }))
}

// there is on for calls that need the container.
func (e *engine) there(ctx context.Context, op Op, id string, effect func(h *Host, c *container) error) error {
	return e.on(ctx, op, id, func(h *Host, c *container) error {
		if c == nil {
			return providers.ErrNotFound
		}
		return effect(h, c)
	})
}

func (e *engine) locked(effect func(h *Host) error) func() error {
	return func() error {
		h := e.host
		h.mu.Lock()
		defer h.mu.Unlock()
		if err := e.usable(); err != nil {
			return err
		}
		h.age()
		return effect(h)
	}
}

func (e *engine) usable() error {
	switch {
	case e.closed:
		return &providers.Error{Class: providers.ErrUnreachable, Err: errClosed}
	case e.host.down:
		return classed(providers.ErrUnreachable, "the host is down")
	}
	return nil
}

func (e *engine) Close() error {
	e.host.mu.Lock()
	defer e.host.mu.Unlock()
	e.closed = true
	e.host.cut(e, errClosed)
	e.host.journal.wake()
	for _, c := range e.host.containers {
		c.wake() // ends the streams that follow its log
	}
	return nil
}

func (e *engine) Observe(ctx context.Context, q providers.Query) (*fleet.Observation, error) {
	var o *fleet.Observation
	err := e.do(ctx, OpObserve, "", func(h *Host) error {
		o = h.observe(q)
		return nil
	})
	return o, err
}

func (h *Host) observe(q providers.Query) *fleet.Observation {
	o := &fleet.Observation{Engine: h.info}
	var ours []*container
	for _, c := range h.containers {
		if c.seen.Identity.Fleet != "" && c.seen.Identity.Fleet == q.Fleet {
			ours = append(ours, c)
			continue
		}
		f := fleet.ForeignContainer{ID: c.seen.ID, Name: c.seen.Name, Phase: c.seen.Phase, Identity: c.seen.Identity}
		if c.live() {
			f.HostPorts = c.seen.HostPorts
		}
		o.Foreign = append(o.Foreign, f)
	}
	// Sorted before they are copied: each is hundreds of bytes.
	slices.SortFunc(ours, func(a, b *container) int { return strings.Compare(a.seen.Name, b.seen.Name) })
	o.Containers = slices.Grow(o.Containers, len(ours))
	for _, c := range ours {
		o.Containers = append(o.Containers, c.seen)
	}
	slices.SortFunc(o.Foreign, func(a, b fleet.ForeignContainer) int { return strings.Compare(a.Name, b.Name) })
	for _, n := range slices.Sorted(maps.Keys(h.volumes)) {
		v := h.volumes[n]
		o.Volumes = append(o.Volumes, fleet.ObservedVolume{
			Name: n, Driver: v.driver,
			Fleet: fleet.ID(v.labels[fleet.LabelFleet]), Object: fleet.Addr(v.labels[fleet.LabelObject]),
		})
	}
	for _, n := range slices.Sorted(maps.Keys(h.networks)) {
		v := h.networks[n]
		o.Networks = append(o.Networks, fleet.ObservedNetwork{
			ID: v.id, Name: n, Driver: v.driver,
			Fleet: fleet.ID(v.labels[fleet.LabelFleet]), Object: fleet.Addr(v.labels[fleet.LabelObject]),
		})
	}
	for _, ref := range slices.Compact(slices.Sorted(slices.Values(q.Images))) {
		if i, ok := h.observeImage(ref); ok {
			o.Images = append(o.Images, i)
		}
	}
	return o
}

func (e *engine) Inspect(ctx context.Context, id string) (seen fleet.Container, err error) {
	err = e.there(ctx, OpInspect, id, func(_ *Host, c *container) error {
		seen = c.seen
		return nil
	})
	return seen, err
}

func (e *engine) FindName(ctx context.Context, name string) (seen fleet.Container, err error) {
	err = e.do(ctx, OpFindName, name, func(h *Host) error {
		c := h.names[name]
		if c == nil {
			return providers.ErrNotFound
		}
		seen = c.seen
		return nil
	})
	return seen, err
}

func (e *engine) Create(ctx context.Context, r providers.CreateRequest) (id string, err error) {
	err = e.do(ctx, OpCreate, r.Instance.ContainerName(), func(h *Host) error {
		env, files, err := open(r.Spec.Env, r.Spec.Files, r.Vault)
		if err != nil {
			return err
		}
		id, err = h.create(r, env, files)
		return err
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

func (h *Host) create(r providers.CreateRequest, env map[string]string, files map[string]fileOf) (string, error) {
	name := r.Instance.ContainerName()
	if c := h.names[name]; c != nil {
		if !sameReplica(c.seen.Identity, r.Instance) {
			return "", classed(providers.ErrNameTaken, "by container "+c.seen.ID[:12])
		}
		c.write(files)
		return c.seen.ID, nil
	}
	if h.full {
		return "", providers.ErrNoSpace
	}
	image := h.find(r.Spec.Image)
	if image == nil {
		return "", classed(providers.ErrImageNotFound, cmp.Or(r.Spec.Image.Ref, r.Spec.Image.ID))
	}
	for _, n := range r.Spec.Networks {
		if h.networks[r.Instance.Networks[string(n)]] == nil {
			return "", classed(providers.ErrNotFound, "network "+r.Instance.Networks[string(n)])
		}
	}
	c := h.add(name, r.Instance.Labels(r.Spec, r.Op))
	c.spec, c.instance, c.env, c.program, c.server = r.Spec, r.Instance, env, image.Program, image.Server
	c.args = slices.Concat(r.Spec.Entrypoint, r.Spec.Command)
	c.lives, c.diesWith = image.Lives, image.DiesWith
	h.mortal = h.mortal || c.lives > 0
	c.write(files)
	c.seen.ImageID = image.ID
	c.seen.Limits = r.Spec.Limits
	c.seen.Restart = cmp.Or(r.Spec.Restart, fleet.RestartNo)
	c.seen.HostPorts = publishedPorts(r)
	h.attach(c)
	return c.seen.ID, nil
}

// attach gives a new container its volumes and networks.
func (h *Host) attach(c *container) {
	for _, target := range slices.Sorted(maps.Keys(c.instance.Volumes)) {
		v := c.instance.Volumes[target]
		h.needVolume(v)
		c.volumes = append(c.volumes, v)
	}
	flat := fleet.Flat(string(c.instance.Replica.Workload))
	slot := c.instance.ContainerName()
	slot = slot[len(string(c.instance.FleetName))+1 : strings.LastIndex(slot, "-g")]
	names := []string{flat, slot}
	if _, hook := c.instance.Replica.Slot.Hook(); hook {
		names = names[1:] // it serves nobody
	}
	for _, n := range c.spec.Networks {
		c.join(c.instance.Networks[string(n)], names)
	}
	if len(c.spec.Networks) == 0 {
		c.join(cmp.Or(c.spec.NetworkMode, "bridge"), nil)
	}
}

func publishedPorts(r providers.CreateRequest) []fleet.PublishedPort {
	var all []fleet.PublishedPort
	for _, p := range r.Spec.Ports {
		if host := r.Instance.HostPorts[p.Name]; host != 0 {
			all = append(all, fleet.PublishedPort{Bind: p.Bind, Host: host, Container: p.Container, Protocol: p.Protocol})
		}
	}
	slices.SortFunc(all, func(a, b fleet.PublishedPort) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Bind, b.Bind))
	})
	return all
}

func sameReplica(id fleet.Identity, i fleet.Instance) bool {
	return id.Fleet == i.Fleet && id.Replica == i.Replica && id.Generation == i.Generation && id.Revision == i.Revision
}

func (c *container) write(files map[string]fileOf) {
	if c.files == nil {
		c.files = map[string]fileOf{}
	}
	maps.Copy(c.files, files)
}

func (e *engine) Start(ctx context.Context, id string) error {
	return e.there(ctx, OpStart, id, func(h *Host, c *container) error {
		switch c.seen.Phase {
		case fleet.PhaseRunning, fleet.PhaseRestarting:
			return nil
		case fleet.PhasePaused:
			return classed(providers.ErrInvalid, "it is paused")
		}
		return h.start(c)
	})
}

func (e *engine) Stop(ctx context.Context, id, signal string, _ time.Duration) error {
	return e.on(ctx, OpStop, id, func(h *Host, c *container) error {
		if c != nil && c.live() {
			h.stop(c, signal)
		}
		return nil
	})
}

func (e *engine) Remove(ctx context.Context, id string) error {
	return e.on(ctx, OpRemove, id, func(h *Host, c *container) error {
		if c != nil {
			h.drop(c)
		}
		return nil
	})
}

func (e *engine) Unpause(ctx context.Context, id string) error {
	return e.there(ctx, OpUnpause, id, func(h *Host, c *container) error {
		if c.seen.Phase == fleet.PhasePaused {
			c.seen.Phase = fleet.PhaseRunning
			h.happened(c, fleet.EventUnpause)
		}
		return nil
	})
}

func (e *engine) Rename(ctx context.Context, id, name string) error {
	return e.there(ctx, OpRename, id, func(h *Host, c *container) error { return h.rename(c, name) })
}

func (h *Host) rename(c *container, name string) error {
	if other := h.names[name]; other != nil && other != c {
		return classed(providers.ErrNameTaken, name+" by container "+other.seen.ID[:12])
	}
	delete(h.names, c.seen.Name)
	h.names[name] = c
	c.seen.Name = name
	h.happened(c, fleet.EventRename)
	return nil
}

func (e *engine) Connect(ctx context.Context, id, network string, aliases []string) error {
	return e.there(ctx, OpConnectTo, id, func(h *Host, c *container) error {
		if h.networks[network] == nil {
			return classed(providers.ErrNotFound, "network "+network)
		}
		if _, on := c.networks[network]; !on {
			c.join(network, slices.Clone(aliases))
		}
		return nil
	})
}

func (e *engine) Disconnect(ctx context.Context, id, network string) error {
	return e.there(ctx, OpDisconnect, id, func(_ *Host, c *container) error {
		c.leave(network)
		return nil
	})
}

func (e *engine) Update(ctx context.Context, id string, l fleet.Limits, r fleet.Restart) error {
	return e.there(ctx, OpUpdate, id, func(h *Host, c *container) error {
		c.seen.Limits, c.seen.Restart = l, cmp.Or(r, fleet.RestartNo)
		h.happened(c, fleet.EventUpdate)
		return nil
	})
}

func (e *engine) WriteFiles(ctx context.Context, id string, files []fleet.File, v fleet.Vault) error {
	return e.there(ctx, OpWriteFiles, id, func(h *Host, c *container) error {
		_, opened, err := open(nil, files, v)
		if err == nil && h.full {
			err = providers.ErrNoSpace
		}
		if err == nil {
			c.write(opened)
		}
		return err
	})
}

func (e *engine) Signal(ctx context.Context, id, signal string) error {
	return e.there(ctx, OpSignal, id, func(h *Host, c *container) error {
		if c.seen.Phase != fleet.PhaseRunning {
			return providers.ErrNotRunning
		}
		h.signal(c, fullSignal(signal))
		return nil
	})
}

func (e *engine) Pull(ctx context.Context, r providers.PullRequest) error {
	return e.do(ctx, OpPull, r.Image.Ref, func(h *Host) error {
		n := h.world.normal(r.Image.Ref)
		if r.Image.Digest != "" {
			if l := h.find(fleet.Image{Ref: r.Image.Ref, Digest: r.Image.Digest}); l != nil {
				h.tags[n] = l.ID
				return nil
			}
		}
		i, err := h.world.registry.lookup(n, r.Image.Digest)
		if err == nil && h.full {
			err = providers.ErrNoSpace
		}
		if err != nil {
			return err
		}
		h.put(n, i, repository(n)+"@"+i.Digest)
		if r.Progress != nil {
			r.Progress(1, 1)
		}
		return nil
	})
}

const exportHeader = "stowage fake image "

func (e *engine) Export(ctx context.Context, imageID string) (stream io.ReadCloser, err error) {
	err = e.do(ctx, OpExport, imageID, func(h *Host) error {
		if h.images[imageID] == nil {
			return providers.ErrImageNotFound
		}
		stream = io.NopCloser(strings.NewReader(exportHeader + imageID + "\n"))
		return nil
	})
	return stream, err
}

func (e *engine) Import(ctx context.Context, r io.Reader, want fleet.Image) error {
	body, readErr := io.ReadAll(io.LimitReader(r, 1<<20))
	return e.do(ctx, OpImport, want.Ref, func(h *Host) error {
		if readErr != nil {
			return &providers.Error{Class: providers.ErrUnknown, Err: readErr}
		}
		id, whole := strings.CutSuffix(strings.TrimPrefix(string(body), exportHeader), "\n")
		i, known := h.world.image(id)
		switch {
		case !whole || !known:
			return classed(providers.ErrInvalid, "not an image")
		case h.full:
			return providers.ErrNoSpace
		case want.ID != "" && i.ID != want.ID:
			return classed(providers.ErrInvalid, "the stream holds image "+i.ID)
		}
		h.put(h.world.normal(want.Ref), i, "")
		return nil
	})
}
