package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/strslice"
	"github.com/docker/go-connections/nat"
	"github.com/docker/go-units"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// Create makes a container with its files in it.
func (e *Engine) Create(ctx context.Context, r providers.CreateRequest) (string, error) {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	name := r.Instance.ContainerName()
	config, host, networking, err := translate(r)
	if err == nil {
		err = filesFit(r.Spec)
	}
	if err == nil {
		_, err = archiveOf(r.Spec.Files, r.Vault) // a secret that is missing is found before anything is made
	}
	if err != nil {
		return "", &providers.Error{Op: "create", Object: name, Class: classIn(err), Err: err}
	}
	if err := e.prepare(ctx, r.Spec, config, host); err != nil {
		return "", err
	}
	made, err := e.api.ContainerCreate(ctx, config, host, networking, nil, name)
	id, adopted := made.ID, errdefs.IsConflict(err)
	switch {
	case adopted:
		if id, err = e.adopt(ctx, r, name); err != nil {
			return "", err
		}
	case errdefs.IsNotFound(err): // of all that a create names, only the image can be missing
		return "", &providers.Error{Op: "create", Object: name, Class: providers.ErrImageNotFound, Err: trim(err)}
	case err != nil:
		return "", changed("create", name, err)
	}
	if err := e.furnish(ctx, r, id); err != nil {
		return "", e.undo(ctx, id, adopted, err)
	}
	return id, nil
}

// undo removes a container that was made and could not be furnished, so that a refusal takes no effect. One that was there
// before stays, and so does one of which nobody knows how far it came.
func (e *Engine) undo(ctx context.Context, id string, adopted bool, err error) error {
	if adopted || errors.Is(err, providers.ErrUnknown) || errors.Is(err, providers.ErrUnreachable) {
		return &providers.Error{Op: "create", Object: id, Class: providers.ErrUnknown, Err: err}
	}
	if left := e.Remove(ctx, id); left != nil {
		return &providers.Error{Op: "create", Object: id, Class: providers.ErrUnknown, Err: errors.Join(err, left)}
	}
	return err
}

func classIn(err error) error {
	if e, ok := errors.AsType[*providers.Error](err); ok {
		return e.Class
	}
	return providers.ErrInvalid
}

// furnish puts a created container on its further networks and writes its files. API 1.41 takes one network at create.
func (e *Engine) furnish(ctx context.Context, r providers.CreateRequest, id string) error {
	if len(r.Spec.Networks) > 1 {
		for _, n := range r.Spec.Networks[1:] {
			if err := e.Connect(ctx, id, r.Instance.Networks[string(n)], aliases(r.Instance.Replica)); err != nil {
				return err
			}
		}
	}
	if len(r.Spec.Files) == 0 {
		return nil
	}
	return e.WriteFiles(ctx, id, r.Spec.Files, r.Vault)
}

// adopt returns the container that has the name, if it is the one that was to be made.
func (e *Engine) adopt(ctx context.Context, r providers.CreateRequest, name string) (string, error) {
	c, err := e.findTaken(ctx, name)
	if errors.Is(err, providers.ErrNotFound) {
		return "", &providers.Error{Op: "create", Object: name, Class: providers.ErrNameTaken, Err: errors.New("by a container that the engine does not show")}
	}
	if err != nil {
		return "", err
	}
	i := r.Instance
	if c.Identity.Fleet != i.Fleet || c.Identity.Replica != i.Replica || c.Identity.Generation != i.Generation || c.Identity.Revision != i.Revision {
		return "", &providers.Error{Op: "create", Object: name, Class: providers.ErrNameTaken, Err: fmt.Errorf("by container %.12s", c.ID)}
	}
	return c.ID, nil
}

// An engine takes a container's name before it shows the container, and gives it back after it has hidden it: the time
// in between is that of making or removing its file system.
const (
	hiddenFor = 10 * time.Second
	hiddenAsk = 50 * time.Millisecond
)

// findTaken looks for the container that has a name, which the engine said is taken. It may be the one that an earlier
// create of ours, whose answer was lost, is still making.
func (e *Engine) findTaken(ctx context.Context, name string) (fleet.Container, error) {
	tick := time.NewTicker(hiddenAsk)
	defer tick.Stop()
	limit := time.NewTimer(hiddenFor)
	defer limit.Stop()
	for {
		c, err := e.FindName(ctx, name)
		if !errors.Is(err, providers.ErrNotFound) {
			return c, err
		}
		select {
		case <-tick.C:
		case <-limit.C:
			return c, err
		case <-ctx.Done():
			return c, looked("create", name, ctx.Err())
		}
	}
}

// translate writes a spec in the engine's words. What the spec does not say is not sent.
func translate(r providers.CreateRequest) (*container.Config, *container.HostConfig, *network.NetworkingConfig, error) {
	s := r.Spec
	image, err := imageName(s.Image)
	if err != nil {
		return nil, nil, nil, err
	}
	env, err := environment(s.Env, r.Vault)
	if err != nil {
		return nil, nil, nil, err
	}
	c := &container.Config{
		Image: image, Env: env, WorkingDir: s.WorkingDir, User: s.User, Hostname: s.Hostname, StopSignal: s.StopSignal,
		Labels: r.Instance.Labels(s, r.Op), ExposedPorts: nat.PortSet{},
	}
	if s.Command != nil {
		c.Cmd = strslice.StrSlice(s.Command)
	}
	if s.Entrypoint != nil {
		c.Entrypoint = strslice.StrSlice(s.Entrypoint)
		if len(s.Entrypoint) == 0 {
			c.Entrypoint = strslice.StrSlice{""} // how the API spells "none"; an empty list is "the image's"
		}
	}
	h := hostConfig(s)
	if err := ports(c, h, r); err != nil {
		return nil, nil, nil, err
	}
	h.Mounts = mounts(r)
	n := networking(r, h)
	return c, h, n, nil
}

// imageName is what the image is created from: the id on this host where it is known, so that a tag that moves in between
// changes nothing.
func imageName(i fleet.Image) (string, error) {
	if i.ID != "" {
		return i.ID, nil
	}
	if i.Digest == "" {
		return i.Ref, nil
	}
	return byDigest(i)
}

// byDigest is the image's repository with its digest.
func byDigest(i fleet.Image) (string, error) {
	named, err := reference.ParseDockerRef(i.Ref)
	if err != nil {
		return "", fmt.Errorf("image %q: %w", i.Ref, err)
	}
	return reference.TrimNamed(named).Name() + "@" + i.Digest, nil
}

func environment(env map[string]fleet.Text, v fleet.Vault) ([]string, error) {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		value, ok := v.Open(env[k])
		if !ok {
			return nil, &providers.Error{Op: "open", Object: "env." + k, Class: providers.ErrSecret}
		}
		out = append(out, k+"="+value)
	}
	return out, nil
}

func hostConfig(s fleet.Spec) *container.HostConfig {
	h := &container.HostConfig{
		NetworkMode: container.NetworkMode(s.NetworkMode), RestartPolicy: restartPolicy(s.Restart),
		ReadonlyRootfs: s.ReadOnly, Privileged: s.Privileged, CapAdd: strslice.StrSlice(s.CapAdd), CapDrop: strslice.StrSlice(s.CapDrop),
		SecurityOpt: s.SecurityOpt, Sysctls: s.Sysctls, DNS: s.DNS, ShmSize: int64(s.ShmSize),
		Resources: resources(s.Limits),
	}
	if s.Init {
		yes := true
		h.Init = &yes
	}
	for _, name := range slices.Sorted(maps.Keys(s.ExtraHosts)) {
		h.ExtraHosts = append(h.ExtraHosts, name+":"+s.ExtraHosts[name])
	}
	for _, u := range s.Ulimits {
		h.Ulimits = append(h.Ulimits, &units.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	for _, d := range s.Devices {
		h.Devices = append(h.Devices, container.DeviceMapping{PathOnHost: d.Host, PathInContainer: d.Container, CgroupPermissions: d.Permissions})
	}
	if s.GPUs > 0 {
		h.DeviceRequests = []container.DeviceRequest{{Count: s.GPUs, Capabilities: [][]string{{"gpu"}}}}
	}
	return h
}

// cpuPeriod is the kernel's usual one, in microseconds.
const cpuPeriod = 100_000

func resources(l fleet.Limits) container.Resources {
	r := container.Resources{Memory: int64(l.Memory)}
	// A quota and not NanoCPUs, which is the same to the kernel: the engine can lift a quota in place, and NanoCPUs never.
	if l.CPU > 0 {
		r.CPUPeriod, r.CPUQuota = cpuPeriod, int64(l.CPU)*cpuPeriod/int64(fleet.Core)
	}
	if l.PidsLimit > 0 {
		r.PidsLimit = &l.PidsLimit
	}
	return r
}

// prepare fills in what depends on the engine or the image.
func (e *Engine) prepare(ctx context.Context, s fleet.Spec, c *container.Config, h *container.HostConfig) error {
	h.LogConfig = container.LogConfig{Type: s.Logging.Driver, Config: s.Logging.Options}
	if s.Logging.Driver == "" && len(s.Logging.Options) == 0 {
		driver, err := e.defaultDriver(ctx)
		if err != nil {
			return err
		}
		if driver == "json-file" { // which fills the disk with one file where it is not told to rotate
			h.LogConfig = container.LogConfig{Type: driver, Config: map[string]string{"max-size": "10m", "max-file": "3"}}
		}
	}
	return e.keepHealing(ctx, s, c)
}

// defaultDriver is the engine's default logging driver. It is asked for once: it changes only with the engine's restart,
// which ends the connection's streams but not this value, and a driver that is named for once too long harms nothing.
func (e *Engine) defaultDriver(ctx context.Context) (string, error) {
	e.mu.Lock()
	driver := e.driver
	e.mu.Unlock()
	if driver != "" {
		return driver, nil
	}
	info, err := e.api.Info(ctx)
	if err != nil {
		return "", looked("create", "", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.driver = info.LoggingDriver
	return e.driver, nil
}

// keepHealing names the stop signal of a container that will be sent other signals. The engine takes any signal to a
// container that names no stop signal for the wish to end it, and does not start it again when it crashes later
// (daemon/kill.go of 20.10 to 28: ExitOnNext). SIGTERM is what it would use anyway.
func (e *Engine) keepHealing(ctx context.Context, s fleet.Spec, c *container.Config) error {
	signalled := slices.ContainsFunc(s.Files, func(f fleet.File) bool { return strings.HasPrefix(f.OnChange, "signal:") })
	if !signalled || s.StopSignal != "" {
		return nil
	}
	i, err := e.api.ImageInspect(ctx, c.Image)
	if errdefs.IsNotFound(err) {
		return nil // the create says so
	}
	if err != nil {
		return looked("create", c.Image, err)
	}
	if i.Config == nil || i.Config.StopSignal == "" {
		c.StopSignal = "SIGTERM"
	}
	return nil
}

func ports(c *container.Config, h *container.HostConfig, r providers.CreateRequest) error {
	for _, p := range r.Spec.Ports {
		port := nat.Port(strconv.Itoa(int(p.Container)) + "/" + p.Protocol)
		c.ExposedPorts[port] = struct{}{}
		if p.Policy == fleet.PortInternal {
			continue
		}
		host, ok := r.Instance.HostPorts[p.Name]
		if !ok || host == 0 {
			return fmt.Errorf("port %q is to be published, and no host port was chosen", p.Name)
		}
		if h.PortBindings == nil {
			h.PortBindings = nat.PortMap{}
		}
		h.PortBindings[port] = append(h.PortBindings[port], nat.PortBinding{HostIP: bindIP(p.Bind), HostPort: strconv.Itoa(int(host))})
	}
	return nil
}

// bindIP is an address as the engine takes it.
func bindIP(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.String()
	}
	return s
}

func mounts(r providers.CreateRequest) []mount.Mount {
	var out []mount.Mount
	for _, m := range r.Spec.Mounts {
		x := mount.Mount{Target: m.Target, ReadOnly: m.ReadOnly}
		switch m.Kind {
		case fleet.MountBind:
			x.Type, x.Source = mount.TypeBind, m.Source
		case fleet.MountVolume:
			x.Type, x.Source = mount.TypeVolume, r.Instance.Volumes[m.Target]
		case fleet.MountTmpfs:
			x.Type = mount.TypeTmpfs
			if m.Size > 0 {
				x.TmpfsOptions = &mount.TmpfsOptions{SizeBytes: int64(m.Size)}
			}
		}
		out = append(out, x)
	}
	return out
}

// networking puts the container on the first of its networks.
func networking(r providers.CreateRequest, h *container.HostConfig) *network.NetworkingConfig {
	if len(r.Spec.Networks) == 0 {
		return nil
	}
	first := r.Instance.Networks[string(r.Spec.Networks[0])]
	h.NetworkMode = container.NetworkMode(first)
	return &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{first: {Aliases: aliases(r.Instance.Replica)}}}
}

// aliases are the names that a replica answers to on its networks: its workload's, and <workload>-<slot>. A hook's container
// serves nobody, and must not be found under the workload's name.
func aliases(r fleet.ReplicaID) []string {
	flat := fleet.Flat(string(r.Workload))
	own := flat + "-" + r.Slot.String()
	if _, hook := r.Slot.Hook(); hook {
		return []string{own}
	}
	return []string{flat, own}
}
