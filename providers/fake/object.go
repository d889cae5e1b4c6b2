package fake

import (
	"context"
	"maps"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

func (e *engine) CreateNetwork(ctx context.Context, r providers.NetworkRequest) error {
	return e.do(ctx, OpCreateNetwork, r.Name, func(h *Host) error {
		if n := h.networks[r.Name]; n != nil {
			if !maps.Equal(n.labels, r.Labels) {
				return providers.ErrNameTaken
			}
			return nil
		}
		h.networks[r.Name] = &network{
			id: hash("network", string(h.name), r.Name), driver: r.Driver, labels: maps.Clone(r.Labels),
		}
		return nil
	})
}

func (e *engine) RemoveNetwork(ctx context.Context, f fleet.ID, name string) error {
	return e.do(ctx, OpRemoveNetwork, name, func(h *Host) error {
		n := h.networks[name]
		if n == nil {
			return nil
		}
		if fleet.ID(n.labels[fleet.LabelFleet]) != f {
			return providers.ErrNotOurs
		}
		for _, c := range h.containers {
			if _, on := c.networks[name]; on && c.live() {
				return classed(providers.ErrInUse, "by container "+c.seen.Name)
			}
		}
		delete(h.networks, name)
		return nil
	})
}

func (e *engine) CreateVolume(ctx context.Context, r providers.VolumeRequest) error {
	return e.do(ctx, OpCreateVolume, r.Name, func(h *Host) error {
		if v := h.volumes[r.Name]; v != nil {
			if v.labels[fleet.LabelFleet] != r.Labels[fleet.LabelFleet] {
				return providers.ErrNameTaken
			}
			return nil
		}
		if h.full {
			return providers.ErrNoSpace
		}
		driver := r.Driver
		if driver == "" {
			driver = "local"
		}
		h.volumes[r.Name] = &volume{driver: driver, labels: maps.Clone(r.Labels)}
		return nil
	})
}

func (e *engine) RemoveVolume(ctx context.Context, f fleet.ID, name string) error {
	return e.do(ctx, OpRemoveVolume, name, func(h *Host) error {
		v := h.volumes[name]
		if v == nil {
			return nil
		}
		if fleet.ID(v.labels[fleet.LabelFleet]) != f {
			return providers.ErrNotOurs
		}
		for _, c := range h.containers {
			for _, used := range c.volumes {
				if used == name {
					return classed(providers.ErrInUse, "by container "+c.seen.Name)
				}
			}
		}
		delete(h.volumes, name)
		return nil
	})
}
