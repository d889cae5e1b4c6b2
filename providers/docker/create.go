package docker

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

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
	if err != nil {
		return "", &providers.Error{Op: "create", Object: name, Class: classIn(err), Err: err}
	}
	made, err := e.api.ContainerCreate(ctx, config, host, networking, nil, name)
	id := made.ID
	switch {
	case errdefs.IsConflict(err):
		if id, err = e.adopt(ctx, r, name); err != nil {
			return "", err
		}
	case errdefs.IsNotFound(err): // of all that a create names, only the image can be missing
		return "", &providers.Error{Op: "create", Object: name, Class: providers.ErrImageNotFound, Err: trim(err)}
	case err != nil:
		return "", changed("create", name, err)
	}
	return id, e.furnish(ctx, r, id)
}

func classIn(err error) error {
	if e, ok := err.(*providers.Error); ok {
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
	c, err := e.FindName(ctx, name)
	if err != nil {
		return "", err
	}
	i := r.Instance
	if c.Identity.Fleet != i.Fleet || c.Identity.Replica != i.Replica || c.Identity.Generation != i.Generation || c.Identity.Revision != i.Revision {
		return "", &providers.Error{Op: "create", Object: name, Class: providers.ErrNameTaken, Err: fmt.Errorf("by container %.12s", c.ID)}
	}
	return c.ID, nil
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
		SecurityOpt: s.SecurityOpt, Sysctls: s.Sysctls, DNS: s.DNS, ShmSize: int64(s.ShmSize), LogConfig: logging(s.Logging),
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

func resources(l fleet.Limits) container.Resources {
	r := container.Resources{NanoCPUs: int64(l.CPU) * 1e6, Memory: int64(l.Memory)}
	if l.PidsLimit > 0 {
		r.PidsLimit = &l.PidsLimit
	}
	return r
}

// logging makes the default rotate: Docker's own default fills the disk with one file.
func logging(l fleet.Logging) container.LogConfig {
	if l.Driver == "" && len(l.Options) == 0 {
		return container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m", "max-file": "3"}}
	}
	return container.LogConfig{Type: l.Driver, Config: l.Options}
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

// aliases are the names that a replica answers to on its networks: its workload's, and <workload>-<slot>.
func aliases(r fleet.ReplicaID) []string {
	flat := fleet.Flat(string(r.Workload))
	return []string{flat, flat + "-" + strconv.Itoa(int(r.Slot))}
}
