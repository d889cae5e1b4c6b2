package docker

import (
	"context"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// Start starts a container.
func (e *Engine) Start(ctx context.Context, id string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	return changed("start", id, e.api.ContainerStart(ctx, id, container.StartOptions{}))
}

// stopSlack is how much longer than the container's own time a stop may take: killing and reaping under load.
const stopSlack = 60 * time.Second

// Stop stops a container. Before API 1.42 the signal of a stop is always the container's own: it was given at create.
func (e *Engine) Stop(ctx context.Context, id, signal string, timeout time.Duration) error {
	ctx, cancel := bounded(ctx, timeout+stopSlack)
	defer cancel()
	seconds := int((timeout + time.Second - 1) / time.Second)
	err := e.api.ContainerStop(ctx, id, container.StopOptions{Signal: signal, Timeout: &seconds})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return changed("stop", id, err)
}

// Remove removes a container and its anonymous volumes.
func (e *Engine) Remove(ctx context.Context, id string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	err := e.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if errdefs.IsConflict(err) { // "removal is already in progress": ours before an answer was lost, or somebody's
		return e.waitGone(ctx, id)
	}
	return changed("remove", id, err)
}

// waitGone waits for a removal that is under way.
func (e *Engine) waitGone(ctx context.Context, id string) error {
	done, failed := e.api.ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case <-done:
		return nil
	case err := <-failed:
		if errdefs.IsNotFound(err) {
			return nil
		}
		return changed("remove", id, err)
	}
}

// Unpause lets a paused container go on.
func (e *Engine) Unpause(ctx context.Context, id string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	err := e.api.ContainerUnpause(ctx, id)
	if err == nil || errdefs.IsNotFound(err) {
		return changed("unpause", id, err)
	}
	if c, lookErr := e.Inspect(ctx, id); lookErr == nil && c.Phase == fleet.PhaseRunning {
		return nil // it was not paused
	}
	return changed("unpause", id, err)
}

// Rename gives a container its name back.
func (e *Engine) Rename(ctx context.Context, id, name string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	err := e.api.ContainerRename(ctx, id, name)
	if err == nil || errdefs.IsNotFound(err) {
		return changed("rename", name, err)
	}
	c, lookErr := e.FindName(ctx, name)
	switch {
	case lookErr == nil && c.ID == id:
		return nil
	case lookErr == nil:
		return &providers.Error{Op: "rename", Object: name, Class: providers.ErrNameTaken, Err: trim(err)}
	}
	return changed("rename", name, err)
}

// Update changes limits and restart policy in place.
func (e *Engine) Update(ctx context.Context, id string, l fleet.Limits, r fleet.Restart) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	config := container.UpdateConfig{Resources: resources(l), RestartPolicy: restartPolicy(r)}
	if l.Memory > 0 {
		// A memory limit above the old memory+swap limit is refused unless that is set along. Twice the memory
		// is what the engine itself sets at create.
		config.Resources.MemorySwap = 2 * int64(l.Memory)
	}
	_, err := e.api.ContainerUpdate(ctx, id, config)
	return changed("update", id, err)
}

// Signal sends a signal to a container's first process.
func (e *Engine) Signal(ctx context.Context, id, signal string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	return changed("signal", id, e.api.ContainerKill(ctx, id, signal))
}
