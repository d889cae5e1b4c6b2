package docker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// containerOf turns the engine's description of a container into ours. An answer without the parts that every
// container has is an error: it was cut off, or comes from something that is not Docker.
func containerOf(j container.InspectResponse) (fleet.Container, error) {
	if j.ContainerJSONBase == nil || j.ID == "" || j.State == nil || j.Config == nil || j.HostConfig == nil {
		return fleet.Container{}, &providers.Error{Op: "inspect", Err: errors.New("the engine's answer lacks parts that every container has")}
	}
	c := fleet.Container{
		ID: j.ID, Name: strings.TrimPrefix(j.Name, "/"), Phase: fleet.Phase(j.State.Status), ExitCode: j.State.ExitCode,
		OOMKilled: j.State.OOMKilled, Error: j.State.Error, PortTaken: classOfWords(j.State.Error) == providers.ErrPortTaken, Restarts: j.RestartCount, ImageID: j.Image, Labels: j.Config.Labels,
		Created: parseTime(j.Created), Started: parseTime(j.State.StartedAt),
		Limits:  limitsOf(j.HostConfig),
		Restart: restartOf(j.HostConfig.RestartPolicy),
	}
	if h := j.State.Health; h != nil && h.Status != "none" {
		c.Health = h.Status
	}
	// Labels that are damaged make it a stranger's: who made it cannot be told.
	if identity, err := fleet.ParseLabels(j.Config.Labels); err == nil {
		c.Identity = identity
	}
	if j.NetworkSettings != nil {
		c.Networks = slices.Sorted(maps.Keys(j.NetworkSettings.Networks))
	}
	c.HostPorts = portsOf(j)
	return c, nil
}

func limitsOf(h *container.HostConfig) fleet.Limits {
	l := fleet.Limits{CPU: fleet.CPU(h.NanoCPUs / 1e6), Memory: fleet.Bytes(max(h.Memory, 0))}
	if h.Memory == noMemoryLimit { // one that was lifted
		l.Memory = 0
	}
	if h.NanoCPUs == 0 && h.CPUQuota > 0 {
		period := h.CPUPeriod
		if period <= 0 {
			period = cpuPeriod
		}
		l.CPU = fleet.CPU(h.CPUQuota * int64(fleet.Core) / period)
	}
	if h.PidsLimit != nil && *h.PidsLimit > 0 {
		l.PidsLimit = *h.PidsLimit
	}
	return l
}

// restartOf reads the policy. "always" and "unless-stopped" are one to us: see restartPolicy.
func restartOf(p container.RestartPolicy) fleet.Restart {
	switch p.Name {
	case container.RestartPolicyAlways, container.RestartPolicyUnlessStopped:
		return fleet.RestartAlways
	case container.RestartPolicyOnFailure:
		return fleet.RestartOnFailure
	}
	return fleet.RestartNo
}

// restartPolicy writes the policy. Always is sent as unless-stopped: a container that was stopped on purpose, by us in
// the middle of an apply or by a person, must not come back when the engine restarts.
func restartPolicy(r fleet.Restart) container.RestartPolicy {
	switch r {
	case fleet.RestartAlways:
		return container.RestartPolicy{Name: container.RestartPolicyUnlessStopped}
	case fleet.RestartOnFailure:
		return container.RestartPolicy{Name: container.RestartPolicyOnFailure}
	}
	return container.RestartPolicy{Name: container.RestartPolicyDisabled}
}

// portsOf lists what is published: of a running container what is bound, of another one what it will ask for.
func portsOf(j container.InspectResponse) []fleet.PublishedPort {
	bindings := j.HostConfig.PortBindings
	if j.NetworkSettings != nil && len(j.NetworkSettings.Ports) > 0 {
		bindings = j.NetworkSettings.Ports
	}
	seen := map[fleet.PublishedPort]bool{}
	for port, list := range bindings {
		for _, b := range list {
			host, err := strconv.ParseUint(b.HostPort, 10, 16)
			if err != nil || host == 0 {
				continue
			}
			seen[fleet.PublishedPort{Bind: everyAddress(b.HostIP), Host: uint16(host), Container: uint16(port.Int()), Protocol: port.Proto()}] = true
		}
	}
	return sortedPorts(seen)
}

// everyAddress is how a port on all addresses is described: the engine lists it once for each family.
func everyAddress(ip string) string {
	if ip == "0.0.0.0" || ip == "::" {
		return ""
	}
	return ip
}

func sortedPorts(ports map[fleet.PublishedPort]bool) []fleet.PublishedPort {
	return slices.SortedFunc(maps.Keys(ports), func(a, b fleet.PublishedPort) int {
		return strings.Compare(fmt.Sprintf("%05d %s %s", a.Host, a.Protocol, a.Bind), fmt.Sprintf("%05d %s %s", b.Host, b.Protocol, b.Bind))
	})
}

// parseTime reads the engine's time; its year 1 is "never".
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}
