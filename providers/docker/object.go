package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// CreateNetwork makes a network. Docker looks for another one of that name before it makes one, and not again: two requests at the
// same moment make two networks, and containers can then be started on neither. A request of a process that was killed may still
// be on its way while the next process repeats it. So who made a network looks afterwards too.
func (e *Engine) CreateNetwork(ctx context.Context, r providers.NetworkRequest) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	found, err := e.networks(ctx, r.Name)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		_, created := e.api.NetworkCreate(ctx, r.Name, network.CreateOptions{Driver: r.Driver, Labels: r.Labels})
		if created != nil && !errdefs.IsConflict(created) {
			return changed("create network", r.Name, created)
		}
		if found, err = e.networks(ctx, r.Name); err != nil {
			return &providers.Error{Op: "create network", Object: r.Name, Class: providers.ErrUnknown, Err: err}
		}
		if len(found) == 0 {
			return changed("create network", r.Name, created)
		}
	}
	for _, n := range found {
		for k, v := range r.Labels {
			if n.Labels[k] != v {
				return &providers.Error{Op: "create network", Object: r.Name, Class: providers.ErrNameTaken,
					Err: fmt.Errorf("by network %.12s, whose label %s is %q", n.ID, k, n.Labels[k])}
			}
		}
	}
	return e.keepOne(ctx, found)
}

// networks returns the networks of exactly this name, the latest first.
func (e *Engine) networks(ctx context.Context, name string) ([]network.Summary, error) {
	list, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, looked("look for network", name, err)
	}
	list = slices.DeleteFunc(list, func(n network.Summary) bool { return n.Name != name })
	slices.SortFunc(list, func(a, b network.Summary) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return list, nil
}

// keepOne removes the twins of a network of ours. Those that containers are on stay: with two of that kind somebody else has
// been at work.
func (e *Engine) keepOne(ctx context.Context, twins []network.Summary) error {
	left := len(twins)
	for _, n := range twins {
		if left <= 1 {
			return nil
		}
		switch err := e.api.NetworkRemove(ctx, n.ID); {
		case err == nil, errdefs.IsNotFound(err):
			left--
		case !errdefs.IsPermissionDenied(err): // 403: containers are on it
			return changed("remove the twin of network", n.Name, err)
		}
	}
	return nil
}

// RemoveNetwork removes a network of the fleet, and its twins.
func (e *Engine) RemoveNetwork(ctx context.Context, f fleet.ID, name string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	found, err := e.networks(ctx, name)
	if err != nil {
		return err
	}
	ours := slices.DeleteFunc(slices.Clone(found), func(n network.Summary) bool { return n.Labels[fleet.LabelFleet] != string(f) })
	if len(ours) == 0 && len(found) > 0 {
		return &providers.Error{Op: "remove network", Object: name, Class: providers.ErrNotOurs}
	}
	for _, n := range ours {
		err := e.api.NetworkRemove(ctx, n.ID)
		switch {
		case errdefs.IsNotFound(err):
		case errdefs.IsPermissionDenied(err): // 403: containers are on it
			return &providers.Error{Op: "remove network", Object: name, Class: providers.ErrInUse, Err: trim(err)}
		case err != nil:
			return changed("remove network", name, err)
		}
	}
	return nil
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
