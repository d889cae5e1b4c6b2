package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// A fixture's parts are lines of words. See testdata/README for the notation.

// parseDesired reads hosts, workloads, volumes, networks and outputs.
func (w *world) parseDesired(text string) error {
	return eachLine(text, func(f []string) error {
		switch f[0] {
		case "host":
			w.desired.Hosts = append(w.desired.Hosts, parseHost(f[1:]))
		case "workload", "job":
			wl, err := parseWorkload(f[1:])
			if f[0] == "job" {
				makeJob(&wl, f[1:])
			}
			w.desired.Workloads = append(w.desired.Workloads, wl)
			return err
		case "volume":
			v := fleet.Volume{Name: fleet.VolumeName(f[1]), Driver: "local"}
			for _, o := range f[2:] {
				v.PerReplica = v.PerReplica || o == "per_replica"
				v.PreventDestroy = v.PreventDestroy || o == "prevent_destroy"
			}
			w.desired.Volumes = append(w.desired.Volumes, v)
		case "network":
			w.desired.Networks = append(w.desired.Networks, fleet.Network{Name: fleet.NetworkName(f[1]), Driver: option(f[2:], "driver", "bridge")})
		case "output":
			w.desired.Outputs = append(w.desired.Outputs, fleet.Output{Name: f[1], Value: []byte(f[2])})
		default:
			return fmt.Errorf("unknown word %q", f[0])
		}
		return nil
	})
}

// parseRecord reads what is recorded. A replica runs its recorded workload's spec.
func (w *world) parseRecord(text string) error {
	specs := map[fleet.WorkloadName]fleet.Revision{}
	serial := state.Serial(0)
	note := func(k state.Key) {
		serial++
		w.snap.Serials[k] = serial
	}
	note(state.MetaKey())
	err := eachLine(text, func(f []string) error {
		switch f[0] {
		case "release":
			n, err := strconv.Atoi(f[1])
			w.snap.Release = fleet.Release(n)
			note(state.LatestKey())
			return err
		case "host":
			h := parseHost(f[1:])
			w.snap.Hosts[h.Name] = state.Host{Host: h}
			note(state.HostKey(h.Name))
		case "workload", "job":
			wl, err := parseWorkload(f[1:])
			if f[0] == "job" {
				makeJob(&wl, f[1:])
			}
			if err != nil {
				return err
			}
			r := wl.Spec.Digest()
			if s := option(f[2:], "rev", ""); s != "" {
				r = fleet.Revision(s)
			}
			specs[wl.Name] = r
			if !slices.Contains(f, "spec=lost") {
				w.snap.Specs[r] = wl.Spec
			}
			w.snap.Workloads[wl.Name] = wl
			note(state.WorkloadKey(wl.Name))
		case "replica":
			r, err := parseReplica(f[1])
			if err != nil {
				return err
			}
			rec := state.Replica{
				Replica: r, Host: fleet.HostName(f[2]), Generation: parseGeneration(f[3]), Revision: specs[r.Workload], Release: 1,
			}
			for _, o := range f[4:] {
				if o == "completed" {
					rec.Proven = true
				} else if n, ok := strings.CutPrefix(o, "failed="); ok {
					rec.Failed, _ = strconv.Atoi(n)
				} else if k, v, ok := strings.Cut(o, "="); ok {
					if rec.HostPorts == nil {
						rec.HostPorts = map[string]uint16{}
					}
					n, err := strconv.ParseUint(v, 10, 16)
					if err != nil {
						return err
					}
					rec.HostPorts[k] = uint16(n)
				} else {
					rec.Container = o
				}
			}
			w.snap.Replicas[r] = rec
			note(state.ReplicaKey(r))
		case "volume":
			v := state.Volume{Name: fleet.VolumeName(f[1]), Host: fleet.HostName(f[2]), Engine: f[3], Driver: "local", PreventDestroy: slices.Contains(f, "prevent_destroy")}
			w.snap.Volumes = append(w.snap.Volumes, v)
			note(state.VolumeKey(v.Host, v.Engine))
		case "network":
			n := state.Network{Name: fleet.NetworkName(f[1]), Host: fleet.HostName(f[2]), Engine: f[3], Driver: "bridge"}
			w.snap.Networks = append(w.snap.Networks, n)
			note(state.NetworkKey(n.Host, n.Engine))
		case "intent":
			r, err := parseReplica(f[2])
			if err != nil {
				return err
			}
			in := state.Intent{Kind: f[1], Addr: r.Addr(), Host: fleet.HostName(f[3]), Generation: parseGeneration(f[4]),
				Revision: specs[r.Workload], Op: fleet.OpID(f[5])}
			in.Object = fleet.ContainerName(testName, r, in.Generation)
			w.snap.Intents = append(w.snap.Intents, in)
			note(state.IntentKey(in.Op))
		case "rollout":
			r, err := parseRollout(f)
			w.snap.Rollouts[r.Workload] = r
			note(state.RolloutKey(r.Workload))
			return err
		case "output":
			w.snap.Outputs[f[1]] = fleet.Output{Name: f[1], Value: []byte(f[2])}
		case "debt":
			w.snap.Debts = append(w.snap.Debts, state.Debt{Host: fleet.HostName(f[1])})
		default:
			return fmt.Errorf("unknown word %q", f[0])
		}
		return nil
	})
	return err
}

// parseObserved reads what hosts say. "as recorded" puts everything recorded where it belongs, running; later lines
// change that.
func (w *world) parseObserved(text string) error {
	return eachLine(text, func(f []string) error {
		if f[0] == "silent" {
			w.view.Hosts[fleet.HostName(f[1])] = fleet.Sighting{Why: strings.Join(f[2:], " ")}
			return nil
		}
		if f[0] == "as" {
			w.asRecorded()
			return nil
		}
		if f[0] == "local" {
			w.answers.Local[f[1]] = parseImage(f[1:])
			return nil
		}
		if f[0] == "registry" {
			w.answers.Registry[f[1]] = RegistryAnswer{Digest: option(f[2:], "digest", ""), Missing: slices.Contains(f, "missing")}
			return nil
		}
		o := w.observed(fleet.HostName(f[0]))
		if len(f) == 1 {
			return nil
		}
		switch f[1] {
		case "engine":
			o.Engine.ID = f[2]
		case "gone":
			o.Containers = slices.DeleteFunc(o.Containers, func(c fleet.Container) bool { return c.ID == f[2] })
			o.Volumes = slices.DeleteFunc(o.Volumes, func(v fleet.ObservedVolume) bool { return v.Name == f[2] })
			o.Networks = slices.DeleteFunc(o.Networks, func(n fleet.ObservedNetwork) bool { return n.Name == f[2] })
		case "foreign":
			x := fleet.ForeignContainer{ID: "x-" + f[2], Name: f[2], Phase: fleet.PhaseRunning}
			if n := option(f[3:], "port", ""); n != "" {
				x.HostPorts = []fleet.PublishedPort{{Host: parsePort(n), Protocol: "tcp"}}
			}
			if id := option(f[3:], "of", ""); id != "" {
				r, err := parseReplica(option(f[3:], "is", ""))
				if err != nil {
					return err
				}
				x.Identity = fleet.Identity{Fleet: fleet.ID(id), Replica: r, Generation: 1}
			}
			o.Foreign = append(o.Foreign, x)
		case "volume":
			o.Volumes = append(o.Volumes, fleet.ObservedVolume{
				Name: f[2], Driver: "local", Fleet: fleet.ID(option(f[3:], "of", string(testFleet))),
				Object: fleet.VolumeAddr(fleet.VolumeName(option(f[3:], "for", ""))),
			})
		case "network":
			o.Networks = append(o.Networks, fleet.ObservedNetwork{
				Name: f[2], Driver: "bridge", Fleet: fleet.ID(option(f[3:], "of", string(testFleet))),
				Object: fleet.NetworkAddr(fleet.NetworkName(option(f[3:], "for", ""))),
			})
		case "image":
			i := parseImage(f[2:])
			o.Images = append(slices.DeleteFunc(o.Images, func(x fleet.ObservedImage) bool { return x.Ref == i.Ref }), i)
		case "container":
			return w.parseContainer(o, f[2:])
		default:
			return changeContainer(o, f[1], f[2:])
		}
		return nil
	})
}

func (w *world) observed(n fleet.HostName) *fleet.Observation {
	if o := w.view.Hosts[n].Observation; o != nil {
		return o
	}
	o := &fleet.Observation{Engine: fleet.EngineInfo{ID: "engine-" + string(n)}}
	w.view.Hosts[n] = fleet.Sighting{Observation: o}
	return o
}

// asRecorded makes every host, declared or recorded, hold what is recorded, and its images.
func (w *world) asRecorded() {
	for _, h := range w.desired.Hosts {
		w.observed(h.Name)
	}
	for n := range w.snap.Hosts {
		w.observed(n)
	}
	for _, r := range sortedReplicas(&w.snap) {
		if r.Container == "" {
			continue
		}
		spec := w.snap.Specs[r.Revision]
		o := w.observed(r.Host)
		o.Containers = append(o.Containers, container(r, &spec))
		if _, ok := findImage(o, spec.Image.Ref); !ok && spec.Image.Pin() != "" {
			o.Images = append(o.Images, fleet.ObservedImage{Ref: spec.Image.Ref, ID: spec.Image.ID, Created: time.Unix(1, 0)})
			if spec.Image.Digest != "" {
				i := &o.Images[len(o.Images)-1]
				i.ID, i.Digests = "id-of-"+spec.Image.Digest, []string{spec.Image.Digest}
			}
		}
	}
	for _, v := range w.snap.Volumes {
		o := w.observed(v.Host)
		o.Volumes = append(o.Volumes, fleet.ObservedVolume{Name: v.Engine, Driver: v.Driver, Fleet: testFleet, Object: fleet.VolumeAddr(v.Name)})
	}
	for _, n := range w.snap.Networks {
		o := w.observed(n.Host)
		o.Networks = append(o.Networks, fleet.ObservedNetwork{Name: n.Engine, Driver: n.Driver, Fleet: testFleet, Object: fleet.NetworkAddr(n.Name)})
	}
}

func sortedReplicas(s *state.Snapshot) []state.Replica {
	var out []state.Replica
	for _, r := range s.Replicas {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b state.Replica) int { return a.Replica.Compare(b.Replica) })
	return out
}

// container is what an engine shows of a replica that was made as recorded and runs.
func container(r state.Replica, spec *fleet.Spec) fleet.Container {
	c := fleet.Container{
		ID: r.Container, Name: fleet.ContainerName(testName, r.Replica, r.Generation), Phase: fleet.PhaseRunning,
		Identity: fleet.Identity{Fleet: testFleet, Replica: r.Replica, Generation: r.Generation, Revision: r.Revision, Release: r.Release},
		Limits:   spec.Limits, Restart: spec.Restart,
	}
	for _, n := range spec.Networks {
		c.Networks = append(c.Networks, fleet.NetworkOn(testName, n))
	}
	if len(spec.Networks) == 0 {
		c.Networks = []string{"bridge"}
	}
	for _, p := range spec.Ports {
		if h := r.HostPorts[p.Name]; h != 0 {
			c.HostPorts = append(c.HostPorts, fleet.PublishedPort{Host: h, Container: p.Container, Protocol: p.Protocol})
		}
	}
	return c
}

// parseContainer reads: web[0] g2 id [options of changeContainer]; its spec is the desired workload's.
func (w *world) parseContainer(o *fleet.Observation, f []string) error {
	r, err := parseReplica(f[0])
	if err != nil {
		return err
	}
	rec := state.Replica{Replica: r, Generation: parseGeneration(f[1]), Container: f[2]}
	var spec fleet.Spec
	for _, d := range w.desired.Workloads {
		if d.Name == r.Workload {
			spec = d.Spec
		}
	}
	rec.Revision = w.revision(spec)
	c := container(rec, &spec)
	c.Identity.Op = fleet.OpID(option(f[3:], "op", ""))
	o.Containers = append(o.Containers, c)
	return changeContainer(o, f[2], slices.DeleteFunc(slices.Clone(f[3:]), func(s string) bool { return strings.HasPrefix(s, "op=") }))
}

// revision is that of a spec as it will be pinned.
func (w *world) revision(s fleet.Spec) fleet.Revision { return s.Digest() }

func changeContainer(o *fleet.Observation, id string, words []string) error {
	i := slices.IndexFunc(o.Containers, func(c fleet.Container) bool { return c.ID == id })
	if i < 0 {
		return fmt.Errorf("no container %q", id)
	}
	c := &o.Containers[i]
	for _, s := range words {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			c.Phase = fleet.Phase(s)
			continue
		}
		switch k {
		case "exit":
			c.ExitCode, _ = strconv.Atoi(v)
		case "name":
			c.Name = v
		case "started":
			n, _ := strconv.ParseInt(v, 10, 64)
			c.Started = time.Unix(n, 0).UTC()
		case "memory":
			c.Limits.Memory = parseBytes(v)
		case "restart":
			c.Restart = fleet.Restart(v)
		case "networks":
			c.Networks = strings.Split(v, ",")
		case "rev":
			c.Identity.Revision = fleet.Revision(v)
		default:
			return fmt.Errorf("unknown word %q", s)
		}
	}
	return nil
}

// parseOptions reads: mode destroy; target A; exclude A; replace A; volumes; stowage; lose H.
func (w *world) parseOptions(text string) error {
	return eachLine(text, func(f []string) error {
		switch f[0] {
		case "mode":
			w.opts.Mode = Mode(f[1])
		case "volumes":
			w.opts.Volumes = true
		case "target":
			w.opts.Targets = append(w.opts.Targets, fleet.Addr(f[1]))
		case "exclude":
			w.opts.Excludes = append(w.opts.Excludes, fleet.Addr(f[1]))
		case "replace":
			w.opts.Replaces = append(w.opts.Replaces, fleet.Addr(f[1]))
		case "stowage":
			w.opts.Stowage = true
		case "lose":
			w.opts.WhatIf = &WhatIf{Lost: []fleet.HostName{fleet.HostName(f[1])}, Text: []string{"host." + f[1] + " were lost"}}
		default:
			return fmt.Errorf("unknown word %q", f[0])
		}
		return nil
	})
}

func parseHost(f []string) fleet.Host {
	h := fleet.Host{Name: fleet.HostName(f[0]), Address: "10.0.0.1", Drain: slices.Contains(f, "drain"), Cordon: slices.Contains(f, "cordon")}
	for _, o := range f[1:] {
		if k, v, ok := strings.Cut(o, "="); ok {
			if h.Labels == nil {
				h.Labels = map[string]string{}
			}
			h.Labels[k] = v
		}
	}
	return h
}

// parseWorkload reads: web replicas=3 image=web:1#id env.A=1 port.http=8080:auto file./etc/a=content:restart ...
func parseWorkload(f []string) (fleet.Workload, error) {
	w := fleet.Workload{
		Name: fleet.WorkloadName(f[0]), Mode: fleet.Replicated, Replicas: 1, PullPolicy: fleet.PullMissing, StopTimeout: 10 * time.Second,
		Spec: fleet.Spec{Image: fleet.Image{Ref: "app:1", Digest: "sha256:app1"}, Restart: fleet.RestartAlways},
	}
	s := &w.Spec
	for _, o := range f[1:] {
		k, v, _ := strings.Cut(o, "=")
		head, key, _ := strings.Cut(k, ".")
		switch head {
		case "replicas":
			n, err := strconv.Atoi(v)
			if err != nil {
				return w, err
			}
			w.Replicas = n
		case "image":
			ref, pin, _ := strings.Cut(v, "#")
			s.Image = fleet.Image{Ref: ref, ID: pin}
			if strings.HasPrefix(pin, "sha256:") {
				s.Image = fleet.Image{Ref: ref, Digest: pin}
			}
		case "pull":
			w.PullPolicy = fleet.PullPolicy(v)
		case "env":
			if s.Env == nil {
				s.Env = map[string]fleet.Text{}
			}
			s.Env[key] = fleet.Text{Plain: v}
			if fp, ok := strings.CutPrefix(v, "secret:"); ok {
				s.Env[key] = fleet.Text{Sealed: fleet.Fingerprint(fp)}
			}
		case "port":
			c, h, published := strings.Cut(v, ":")
			p := fleet.Port{Name: key, Container: parsePort(c), Protocol: "tcp"}
			switch {
			case h == "auto":
				p.Policy = fleet.PortAuto
			case published:
				p.Policy, p.Host = fleet.PortFixed, parsePort(h)
			}
			s.Ports = append(s.Ports, p)
		case "file":
			content, change, _ := strings.Cut(v, ":")
			s.Files = append(s.Files, fleet.File{Path: key, Content: fleet.Text{Plain: content}, Mode: 0o644, OnChange: change})
		case "memory":
			s.Limits.Memory = parseBytes(v)
		case "reserve":
			w.Reserve.Memory = parseBytes(v)
		case "net":
			s.Networks = append(s.Networks, fleet.NetworkName(v))
		case "volume":
			s.Mounts = append(s.Mounts, fleet.Mount{Target: key, Kind: fleet.MountVolume, Volume: fleet.VolumeName(v)})
		case "depends":
			w.DependsOn = append(w.DependsOn, fleet.Addr(v))
		case "restart":
			s.Restart = fleet.Restart(v)
		case "on":
			w.Placement.Hosts = append(w.Placement.Hosts, fleet.HostName(v))
		case "parallel", "surge", "unavailable", "order", "healthy", "canary", "strategy", "on_failure":
			setUpdate(&w.Update, k, v)
		case "exclusive":
			w.Exclusive = true
		case "hook":
			w.Hooks = append(w.Hooks, fleet.Hook{Kind: fleet.HookKind(key), Command: []string{v}, Timeout: time.Minute})
		case "read_only":
			s.ReadOnly = true
		case "rev", "spec", "retries", "timeout": // the last two of jobs
		default:
			return w, fmt.Errorf("unknown word %q", o)
		}
	}
	return w, nil
}

// makeJob makes a job of a workload: it reads retries=N timeout=D.
func makeJob(w *fleet.Workload, f []string) {
	w.Job, w.Spec.Restart = &fleet.Job{}, fleet.RestartNo
	w.Job.Retries, _ = strconv.Atoi(option(f, "retries", "0"))
	w.Job.Timeout, _ = time.ParseDuration(option(f, "timeout", "0s"))
}

func parseImage(f []string) fleet.ObservedImage {
	i := fleet.ObservedImage{Ref: f[0], ID: option(f[1:], "id", "")}
	if d := option(f[1:], "digest", ""); d != "" {
		i.Digests = []string{d}
	}
	n, _ := strconv.ParseInt(option(f[1:], "created", "1"), 10, 64)
	i.Created = time.Unix(n, 0)
	return i
}

func parseReplica(s string) (fleet.ReplicaID, error) {
	r, ok := fleet.Addr("workload." + s).Replica()
	if !ok {
		return r, fmt.Errorf("%q is not a replica", s)
	}
	return r, nil
}

func parseGeneration(s string) fleet.Generation {
	n, err := strconv.Atoi(strings.TrimPrefix(s, "g"))
	if err != nil {
		panic(err)
	}
	return fleet.Generation(n)
}

func parsePort(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		panic(err)
	}
	return uint16(n)
}

func parseBytes(s string) fleet.Bytes {
	n, err := strconv.ParseInt(strings.TrimSuffix(s, "MiB"), 10, 64)
	if err != nil {
		panic(err)
	}
	return fleet.Bytes(n) * fleet.MiB
}

// option finds key=value among words.
func option(f []string, key, otherwise string) string {
	for _, s := range f {
		if v, ok := strings.CutPrefix(s, key+"="); ok {
			return v
		}
	}
	return otherwise
}

func eachLine(text string, do func(words []string) error) error {
	for i, l := range strings.Split(text, "\n") {
		l, _, _ = strings.Cut(l, " # ")
		f := strings.Fields(l)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if err := do(f); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return nil
}
