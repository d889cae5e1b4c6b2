package docker

import (
	"context"
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// CreateNetwork makes a network. Docker allows two networks of one name, so it is looked for first; the client makes
// engines before API 1.44 refuse a second one that is made at the same moment, and later ones always do.
func (e *Engine) CreateNetwork(ctx context.Context, r providers.NetworkRequest) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	found, err := e.network(ctx, r.Name)
	if err != nil {
		return err
	}
	if found == nil {
		_, err := e.api.NetworkCreate(ctx, r.Name, network.CreateOptions{Driver: r.Driver, Labels: r.Labels})
		if !errdefs.IsConflict(err) {
			return changed("create network", r.Name, err)
		}
		if found, err = e.network(ctx, r.Name); err != nil || found == nil {
			return changed("create network", r.Name, err)
		}
	}
	for k, v := range r.Labels {
		if found.Labels[k] != v {
			return &providers.Error{Op: "create network", Object: r.Name, Class: providers.ErrNameTaken,
				Err: fmt.Errorf("by network %.12s, whose label %s is %q", found.ID, k, found.Labels[k])}
		}
	}
	return nil
}

// network returns the network of exactly this name; nil: there is none.
func (e *Engine) network(ctx context.Context, name string) (*network.Summary, error) {
	list, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, looked("look for network", name, err)
	}
	i := slices.IndexFunc(list, func(n network.Summary) bool { return n.Name == name })
	if i < 0 {
		return nil, nil
	}
	return &list[i], nil
}

// RemoveNetwork removes a network of the fleet.
func (e *Engine) RemoveNetwork(ctx context.Context, f fleet.ID, name string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	found, err := e.network(ctx, name)
	switch {
	case err != nil || found == nil:
		return err
	case found.Labels[fleet.LabelFleet] != string(f):
		return &providers.Error{Op: "remove network", Object: name, Class: providers.ErrNotOurs}
	}
	err = e.api.NetworkRemove(ctx, found.ID)
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case errdefs.IsPermissionDenied(err): // 403: containers are on it
		return &providers.Error{Op: "remove network", Object: name, Class: providers.ErrInUse, Err: trim(err)}
	}
	return changed("remove network", name, err)
}

// CreateVolume makes a volume, or finds it made by this fleet.
func (e *Engine) CreateVolume(ctx context.Context, r providers.VolumeRequest) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	// The engine answers a create of an existing name with the volume as it is, so what comes back is compared.
	v, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: r.Name, Driver: r.Driver, DriverOpts: r.Options, Labels: r.Labels})
	if errdefs.IsConflict(err) { // there is one of another driver
		return &providers.Error{Op: "create volume", Object: r.Name, Class: providers.ErrNameTaken, Err: trim(err)}
	}
	if err != nil {
		return changed("create volume", r.Name, err)
	}
	if v.Labels[fleet.LabelFleet] != r.Labels[fleet.LabelFleet] {
		return &providers.Error{Op: "create volume", Object: r.Name, Class: providers.ErrNameTaken, Err: fmt.Errorf("its label %s is %q", fleet.LabelFleet, v.Labels[fleet.LabelFleet])}
	}
	return nil
}

// RemoveVolume destroys a volume of the fleet.
func (e *Engine) RemoveVolume(ctx context.Context, f fleet.ID, name string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	v, err := e.api.VolumeInspect(ctx, name)
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case err != nil:
		return looked("remove volume", name, err)
	case v.Labels[fleet.LabelFleet] != string(f):
		return &providers.Error{Op: "remove volume", Object: name, Class: providers.ErrNotOurs}
	}
	err = e.api.VolumeRemove(ctx, name, false)
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case errdefs.IsConflict(err):
		return &providers.Error{Op: "remove volume", Object: name, Class: providers.ErrInUse, Err: trim(err)}
	}
	return changed("remove volume", name, err)
}

// Connect attaches a container to a network.
func (e *Engine) Connect(ctx context.Context, id, name string, aliases []string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	c, err := e.Inspect(ctx, id)
	if err != nil || slices.Contains(c.Networks, name) {
		return err
	}
	return changed("connect", name, e.api.NetworkConnect(ctx, name, id, &network.EndpointSettings{Aliases: aliases}))
}

// Disconnect takes a container off a network.
func (e *Engine) Disconnect(ctx context.Context, id, name string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	c, err := e.Inspect(ctx, id)
	if err != nil || !slices.Contains(c.Networks, name) {
		return err
	}
	err = e.api.NetworkDisconnect(ctx, name, id, false)
	if errdefs.IsNotFound(err) { // the network is gone, and the container off it
		return nil
	}
	return changed("disconnect", name, err)
}
