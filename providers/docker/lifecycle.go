package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/versions"

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

// Stop stops a container. Before API 1.42 the engine knows only the container's own signal: another one is sent by
// itself, and then waited for.
func (e *Engine) Stop(ctx context.Context, id, signal string, timeout time.Duration) error {
	ctx, cancel := bounded(ctx, timeout+stopSlack)
	defer cancel()
	seconds := int((timeout + time.Second - 1) / time.Second)
	if signal != "" && versions.LessThan(e.api.ClientVersion(), "1.42") {
		e.signalAndWait(ctx, id, signal, timeout)
		seconds = 0
	}
	err := e.api.ContainerStop(ctx, id, container.StopOptions{Signal: signal, Timeout: &seconds})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return changed("stop", id, err)
}

// signalAndWait sends a signal and waits until the container has ended, or its time has. Errors are left to the stop that
// follows, which succeeds where all is done.
func (e *Engine) signalAndWait(ctx context.Context, id, signal string, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if e.api.ContainerKill(ctx, id, signal) != nil {
		return
	}
	ended, failed := e.api.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case <-ended:
	case <-failed:
	}
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

// Update changes limits and restart policy in place. To the engine zero means "as it is", so lifting a limit has its own words. A
// CPU limit that somebody has set as NanoCPUs (docker update --cpus) can be changed and never lifted: ErrUnsupported.
func (e *Engine) Update(ctx context.Context, id string, l fleet.Limits, r fleet.Restart) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	j, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return looked("update", id, err)
	}
	if j.ContainerJSONBase == nil || j.HostConfig == nil {
		return &providers.Error{Op: "update", Object: id, Err: errors.New("the engine's answer lacks parts that every container has")}
	}
	now := j.HostConfig.Resources
	if now.NanoCPUs > 0 && l.CPU == 0 {
		return &providers.Error{Op: "update", Object: id, Class: providers.ErrUnsupported,
			Err: errors.New("the engine cannot lift a CPU limit that was set with --cpus")}
	}
	_, err = e.api.ContainerUpdate(ctx, id, container.UpdateConfig{Resources: changeLimits(now, l), RestartPolicy: restartPolicy(r)})
	return changed("update", id, err)
}

// noMemoryLimit is what Linux itself calls no limit (PAGE_COUNTER_MAX in bytes). 20.10 takes -1 for less than its minimum.
const noMemoryLimit = 0x7FFFFFFFFFFFF000

// changeLimits is what to send so that limits become l.
func changeLimits(now container.Resources, l fleet.Limits) container.Resources {
	r := resources(l)
	switch {
	case now.NanoCPUs > 0:
		r.CPUPeriod, r.CPUQuota, r.NanoCPUs = 0, 0, int64(l.CPU)*1e6
	case l.CPU == 0 && now.CPUQuota > 0:
		r.CPUQuota = -1
	}
	switch {
	case l.Memory > 0 && (now.MemorySwap != -1 || now.Memory == noMemoryLimit):
		// A memory limit above the old memory+swap limit is refused unless that is set along. Twice the memory
		// is what the engine itself sets at create.
		r.MemorySwap = 2 * int64(l.Memory)
	case l.Memory > 0:
		r.MemorySwap = -1
	case now.Memory > 0:
		// Not -1 for the swap: the engine keeps that to itself, and the kernel takes no memory limit above the old one of both.
		r.Memory, r.MemorySwap = noMemoryLimit, noMemoryLimit
	}
	if l.PidsLimit == 0 && now.PidsLimit != nil && *now.PidsLimit > 0 {
		none := int64(-1)
		r.PidsLimit = &none
	}
	return r
}

// Signal sends a signal to a container's first process.
//
// The engine takes it for a stop by hand as well, after which unless-stopped starts the container no more, be it after a
// crash or a boot (daemon/kill.go of 20.10 to 28: HasBeenManuallyStopped, cleared by a start only). So the policy becomes
// "always", which is the same to us.
func (e *Engine) Signal(ctx context.Context, id, signal string) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	j, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return looked("signal", id, err)
	}
	if err := e.api.ContainerKill(ctx, id, signal); err != nil {
		return changed("signal", id, err)
	}
	if j.ContainerJSONBase == nil || j.HostConfig == nil || !j.HostConfig.RestartPolicy.IsUnlessStopped() {
		return nil
	}
	always := container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyAlways}}
	if _, err := e.api.ContainerUpdate(ctx, id, always); err != nil && !errdefs.IsNotFound(err) {
		return &providers.Error{Op: "signal", Object: id, Class: providers.ErrUnknown, Err: fmt.Errorf("it was sent; keep the restart policy: %w", trim(err))}
	}
	return nil
}
