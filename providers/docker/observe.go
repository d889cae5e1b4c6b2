package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// inspectsAtOnce is how many containers are inspected at once. 100 inspects take 50-70 ms one after another and
// 19-34 ms ten at a time; more only queue in the engine.
const inspectsAtOnce = 10

// Observe looks at everything: one list of containers, inspects of ours, one list each of volumes and networks, and the
// images asked about. The lists run side by side.
func (e *Engine) Observe(ctx context.Context, q providers.Query) (*fleet.Observation, error) {
	ctx, cancel := bounded(ctx, lookTimeout)
	defer cancel()
	o := &fleet.Observation{}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.observeEngine(ctx, o) })
	g.Go(func() error { return e.observeContainers(ctx, q.Fleet, o) })
	g.Go(func() error { return e.observeVolumes(ctx, o) })
	g.Go(func() error { return e.observeNetworks(ctx, o) })
	g.Go(func() error { return e.observeImages(ctx, q.Images, o) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return o, nil
}

func (e *Engine) observeEngine(ctx context.Context, o *fleet.Observation) error {
	info, err := e.api.Info(ctx)
	if err != nil {
		return looked("observe", "", err)
	}
	if info.ID == "" || info.NCPU == 0 {
		return &providers.Error{Op: "observe", Err: fmt.Errorf("the engine's description of itself makes no sense: id %q, %d processors", info.ID, info.NCPU)}
	}
	arch := map[string]string{"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}[info.Architecture]
	if arch == "" {
		arch = info.Architecture
	}
	e.mu.Lock()
	e.driver = info.LoggingDriver
	e.mu.Unlock()
	// The id comes from a key in /etc/docker, which machines cloned from one image share; their host names tell them apart.
	o.Engine = fleet.EngineInfo{ID: info.ID + "@" + info.Name, Kind: "docker", Version: info.ServerVersion, API: e.api.ClientVersion(), OS: info.OSType, Arch: arch,
		Capacity: fleet.Resources{CPU: fleet.CPU(info.NCPU) * fleet.Core, Memory: fleet.Bytes(info.MemTotal)}}
	return nil
}

func (e *Engine) observeContainers(ctx context.Context, id fleet.ID, o *fleet.Observation) error {
	list, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return looked("observe", "containers", err)
	}
	if list == nil { // an engine without containers gives an empty list
		return &providers.Error{Op: "observe", Object: "containers", Err: errors.New("the engine gave no list")}
	}
	var ours []string
	for i := range list {
		c := &list[i]
		identity, err := fleet.ParseLabels(c.Labels)
		if err == nil && identity.Fleet == id {
			ours = append(ours, c.ID)
			continue
		}
		f := fleet.ForeignContainer{ID: c.ID, Name: listName(c.Names), Phase: fleet.Phase(c.State)}
		// An identity that is damaged is nobody's we know, even with our fleet's label: one strange container must not hide a host.
		if err == nil {
			f.Identity = identity
		}
		ports := map[fleet.PublishedPort]bool{}
		for _, p := range c.Ports {
			if p.PublicPort != 0 {
				ports[fleet.PublishedPort{Bind: everyAddress(p.IP), Host: p.PublicPort, Container: p.PrivatePort, Protocol: p.Type}] = true
			}
		}
		f.HostPorts = sortedPorts(ports)
		o.Foreign = append(o.Foreign, f)
	}
	slices.SortFunc(o.Foreign, func(a, b fleet.ForeignContainer) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	return e.inspectAll(ctx, ours, o)
}

// inspectAll inspects containers of ours. One that vanished since the list is gone: that is what it is now.
func (e *Engine) inspectAll(ctx context.Context, ids []string, o *fleet.Observation) error {
	found := make([]*fleet.Container, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(inspectsAtOnce)
	for i, id := range ids {
		g.Go(func() error {
			j, err := e.api.ContainerInspect(ctx, id)
			if errdefs.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return looked("observe", id, err)
			}
			c, err := containerOf(j)
			found[i] = &c
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, c := range found {
		if c != nil {
			o.Containers = append(o.Containers, *c)
		}
	}
	slices.SortFunc(o.Containers, func(a, b fleet.Container) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// listName is a container's own name among those that a list gives: links add names with another slash in them.
func listName(names []string) string {
	for _, n := range names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return ""
}

func (e *Engine) observeVolumes(ctx context.Context, o *fleet.Observation) error {
	list, err := e.api.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return looked("observe", "volumes", err)
	}
	for _, v := range list.Volumes {
		o.Volumes = append(o.Volumes, fleet.ObservedVolume{Name: v.Name, Driver: v.Driver, Fleet: fleet.ID(v.Labels[fleet.LabelFleet]), Object: fleet.Addr(v.Labels[fleet.LabelObject])})
	}
	slices.SortFunc(o.Volumes, func(a, b fleet.ObservedVolume) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (e *Engine) observeNetworks(ctx context.Context, o *fleet.Observation) error {
	list, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return looked("observe", "networks", err)
	}
	if list == nil {
		return &providers.Error{Op: "observe", Object: "networks", Err: errors.New("the engine gave no list")}
	}
	for _, n := range list {
		o.Networks = append(o.Networks, fleet.ObservedNetwork{ID: n.ID, Name: n.Name, Driver: n.Driver, Fleet: fleet.ID(n.Labels[fleet.LabelFleet]), Object: fleet.Addr(n.Labels[fleet.LabelObject])})
	}
	slices.SortFunc(o.Networks, func(a, b fleet.ObservedNetwork) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	return nil
}

func (e *Engine) observeImages(ctx context.Context, refs []string, o *fleet.Observation) error {
	found := make([]*fleet.ObservedImage, len(refs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(inspectsAtOnce)
	for i, ref := range refs {
		g.Go(func() (err error) {
			found[i], err = e.image(ctx, ref)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, f := range found {
		if f != nil {
			o.Images = append(o.Images, *f)
		}
	}
	slices.SortFunc(o.Images, func(a, b fleet.ObservedImage) int { return strings.Compare(a.Ref, b.Ref) })
	return nil
}

// Inspect looks at one container.
func (e *Engine) Inspect(ctx context.Context, id string) (fleet.Container, error) {
	ctx, cancel := bounded(ctx, lookTimeout)
	defer cancel()
	j, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return fleet.Container{}, looked("inspect", id, err)
	}
	return containerOf(j)
}

// FindName returns the container of exactly this name. The engine also takes ids and their beginnings for names, so what
// comes back is compared.
func (e *Engine) FindName(ctx context.Context, name string) (fleet.Container, error) {
	c, err := e.Inspect(ctx, name)
	if err == nil && c.Name != name {
		return fleet.Container{}, &providers.Error{Op: "inspect", Object: name, Class: providers.ErrNotFound}
	}
	return c, err
}
