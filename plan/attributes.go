package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// Effect is what a change of an attribute takes.
type Effect int

// The effects, from the least to the greatest.
const (
	Records  Effect = iota // nothing is sent to an engine: it directs Stowage
	Writes                 // files are written into the container
	Limits                 // limits and restart policy are changed on the container
	Replaces               // a new container
)

// Attribute is one thing that a workload says, as it is shown and compared.
type Attribute struct {
	Path      string // "image", "env.LOG_LEVEL", "port.http.container", "resources.memory_max"
	Value     string // as it is written in the configuration, without quotes; lists as JSON; empty for a secret
	Sensitive bool
	Effect    Effect

	same string // compared in place of Value where that does not say all: a fingerprint
}

// attributes collects them in the order in which they are shown.
type attributes struct{ list []Attribute }

func (a *attributes) add(path, value string, e Effect) {
	if value != "" {
		a.list = append(a.list, Attribute{Path: path, Value: value, Effect: e})
	}
}

func (a *attributes) bool(path string, v bool, e Effect) {
	if v {
		a.add(path, "true", e)
	}
}

func (a *attributes) int(path string, v int64, e Effect) {
	if v != 0 {
		a.add(path, strconv.FormatInt(v, 10), e)
	}
}

func (a *attributes) bytes(path string, v fleet.Bytes, e Effect) {
	if v != 0 {
		a.add(path, v.String(), e)
	}
}

func (a *attributes) cpu(path string, v fleet.CPU, e Effect) {
	if v != 0 {
		a.add(path, v.String(), e)
	}
}

// strings adds a list; nil is "not set", empty is not.
func (a *attributes) strings(path string, v []string, e Effect) {
	if v == nil {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic("plan: strings do not encode: " + err.Error())
	}
	a.add(path, string(b), e)
}

func (a *attributes) some(path string, v []string, e Effect) {
	if len(v) > 0 {
		a.strings(path, v, e)
	}
}

func (a *attributes) table(path string, m map[string]string, e Effect) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		a.list = append(a.list, Attribute{Path: path + "." + k, Value: m[k], Effect: e})
	}
}

func (a *attributes) text(path string, t fleet.Text, e Effect) {
	a.list = append(a.list, Attribute{Path: path, Value: t.Plain, Sensitive: t.Secret(), Effect: e, same: string(t.Sealed)})
}

// SpecAttributes lists what a spec sets, in the order in which it is shown. It is the one list from which
// comparison, text and JSON are made: a field of Spec that is not here is not compared, and a test says so.
func SpecAttributes(s fleet.Spec) []Attribute {
	a := attributes{list: make([]Attribute, 0, 16)}
	a.add("image", s.Image.Ref, Replaces)
	a.add("image_pin", s.Image.Pin(), Replaces)
	a.strings("entrypoint", s.Entrypoint, Replaces)
	a.strings("command", s.Command, Replaces)
	a.add("working_dir", s.WorkingDir, Replaces)
	a.add("user", s.User, Replaces)
	a.add("hostname", s.Hostname, Replaces)
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		a.text("env."+k, s.Env[k], Replaces)
	}
	a.table("labels", s.Labels, Replaces)
	a.some("networks", texts(s.Networks), Replaces)
	a.add("network_mode", s.NetworkMode, Replaces)
	a.table("extra_hosts", s.ExtraHosts, Replaces)
	a.some("dns", s.DNS, Replaces)
	a.ports(s.Ports)
	a.mounts(s.Mounts)
	a.files(s.Files)
	a.cpu("resources.cpu_max", s.Limits.CPU, Limits)
	a.bytes("resources.memory_max", s.Limits.Memory, Limits)
	a.int("resources.gpus", int64(s.GPUs), Replaces)
	a.int("pids_limit", s.Limits.PidsLimit, Limits)
	a.add("restart", string(s.Restart), Limits)
	a.add("stop_signal", s.StopSignal, Replaces)
	a.bool("read_only", s.ReadOnly, Replaces)
	a.bool("privileged", s.Privileged, Replaces)
	a.bool("init", s.Init, Replaces)
	a.some("cap_add", s.CapAdd, Replaces)
	a.some("cap_drop", s.CapDrop, Replaces)
	a.some("security_opt", s.SecurityOpt, Replaces)
	a.table("sysctls", s.Sysctls, Replaces)
	for _, u := range s.Ulimits {
		a.add("ulimits."+u.Name, fmt.Sprintf("%d:%d", u.Soft, u.Hard), Replaces)
	}
	a.bytes("shm_size", s.ShmSize, Replaces)
	a.devices(s.Devices)
	a.add("logging.driver", s.Logging.Driver, Replaces)
	a.table("logging.options", s.Logging.Options, Replaces)
	return a.list
}

// WorkloadAttributes lists what a workload says beyond its spec: what directs Stowage and is never sent.
func WorkloadAttributes(w fleet.Workload) []Attribute {
	var a attributes
	a.add("mode", mode(w.Mode), Records)
	a.add("pull_policy", string(w.PullPolicy), Records)
	a.cpu("resources.cpu", w.Reserve.CPU, Records)
	a.bytes("resources.memory", w.Reserve.Memory, Records)
	a.int("resources.gpus_reserved", int64(w.Reserve.GPUs), Records)
	a.add("stop_timeout", duration(w.StopTimeout), Records)
	a.some("placement.hosts", texts(w.Placement.Hosts), Records)
	a.table("placement.labels", w.Placement.Labels, Records)
	a.some("placement.spread", w.Placement.Spread, Records)
	a.int("placement.max_per_host", int64(w.Placement.MaxPerHost), Records)
	a.add("placement.strategy", string(w.Placement.Strategy), Records)
	a.some("placement.constraint", said(w.Placement.Constraints), Records)
	a.some("placement.affinity", said(w.Placement.Affinities), Records)
	a.int("placement.priority", int64(w.Placement.Priority), Records)
	a.bool("exclusive", w.Exclusive, Records)
	a.health(w.Health)
	a.update(w.Update)
	for _, h := range w.Hooks {
		at := "hook." + string(h.Kind) + "."
		a.add(at+"kind", string(h.Kind), Records)
		a.some(at+"command", h.Command, Records)
		a.add(at+"timeout", duration(h.Timeout), Records)
	}
	if j := w.Job; j != nil {
		a.add("job", "runs to completion", Records)
		a.int("retries", int64(j.Retries), Records)
		a.add("timeout", duration(j.Timeout), Records)
	}
	a.some("depends_on", texts(w.DependsOn), Records)
	return a.list
}

func (a *attributes) health(h fleet.Healthcheck) {
	const at = "healthcheck."
	a.add(at+"kind", string(h.Kind), Records)
	a.add(at+"path", h.Path, Records)
	a.add(at+"service", h.Service, Records)
	a.some(at+"command", h.Command, Records)
	a.add(at+"port", h.Port, Records)
	a.add(at+"interval", duration(h.Interval), Records)
	a.add(at+"timeout", duration(h.Timeout), Records)
	a.add(at+"start_period", duration(h.StartPeriod), Records)
	a.int(at+"retries", int64(h.Retries), Records)
	a.add(at+"on_unhealthy", string(h.OnUnhealthy), Records)
}

func (a *attributes) update(u fleet.Update) {
	const at = "update."
	a.add(at+"strategy", string(u.Strategy), Records)
	a.amount(at+"max_parallel", u.MaxParallel)
	a.amount(at+"max_surge", u.MaxSurge)
	a.amount(at+"max_unavailable", u.MaxUnavailable)
	a.add(at+"order", string(u.Order), Records)
	a.add(at+"min_healthy_time", duration(u.MinHealthyTime), Records)
	a.add(at+"healthy_deadline", duration(u.HealthyDeadline), Records)
	a.add(at+"progress_deadline", duration(u.ProgressDeadline), Records)
	a.int(at+"canary", int64(u.Canary), Records)
	a.bool(at+"auto_promote", u.AutoPromote, Records)
	a.add(at+"on_failure", string(u.OnFailure), Records)
}

func (a *attributes) amount(path string, v fleet.Amount) {
	if v != (fleet.Amount{}) {
		a.add(path, v.String(), Records)
	}
}

func (a *attributes) ports(ports []fleet.Port) {
	for _, p := range ports {
		at := "port." + p.Name + "."
		a.int(at+"container", int64(p.Container), Replaces)
		switch p.Policy {
		case fleet.PortAuto:
			a.add(at+"host", "auto", Replaces)
		case fleet.PortFixed:
			a.int(at+"host", int64(p.Host), Replaces)
		}
		a.add(at+"bind", p.Bind, Replaces)
		a.add(at+"protocol", p.Protocol, Replaces)
	}
}

func (a *attributes) mounts(mounts []fleet.Mount) {
	for _, m := range mounts {
		at := "mount." + strconv.Quote(m.Target) + "."
		switch m.Kind {
		case fleet.MountVolume:
			a.add(at+"source", string(fleet.VolumeAddr(m.Volume)), Replaces)
		case fleet.MountBind:
			a.add(at+"source", m.Source, Replaces)
		default:
			a.add(at+"source", string(m.Kind), Replaces)
		}
		a.bytes(at+"size", m.Size, Replaces)
		a.bool(at+"read_only", m.ReadOnly, Replaces)
	}
}

// files shows the digest of a file's content: contents are compared, and are too long for a line.
func (a *attributes) files(files []fleet.File) {
	for _, f := range files {
		at := "file." + strconv.Quote(f.Path) + "."
		a.text(at+"content", f.Content, Writes)
		if c := &a.list[len(a.list)-1]; !c.Sensitive {
			sum := sha256.Sum256([]byte(f.Content.Plain))
			c.Value = fmt.Sprintf("sha256:%s (%d bytes)", hex.EncodeToString(sum[:6]), len(f.Content.Plain))
			c.same = string(sum[:])
		}
		a.add(at+"mode", fmt.Sprintf("%04o", f.Mode), Writes)
		a.add(at+"on_change", f.OnChange, Records)
	}
}

func (a *attributes) devices(devices []fleet.Device) {
	for _, d := range devices {
		a.add("devices."+strconv.Quote(d.Container), d.Host+":"+d.Permissions, Replaces)
	}
}

func mode(m fleet.Mode) string {
	if m == fleet.Global {
		return string(m)
	}
	return ""
}

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func texts[T ~string](in []T) []string {
	var out []string
	for _, s := range in {
		out = append(out, string(s))
	}
	return out
}

// said lists values as they say themselves.
func said[T fmt.Stringer](in []T) []string {
	var out []string
	for _, v := range in {
		out = append(out, v.String())
	}
	return out
}

// diffAttributes compares two lists. What differs comes in the order of the new list, then what is gone in that of the
// old one.
func diffAttributes(before, after []Attribute) []difference {
	old := make(map[string]int, len(before))
	for i, b := range before {
		old[b.Path] = i
	}
	var out []difference
	for i := range after {
		n := &after[i]
		j, had := old[n.Path]
		if !had {
			out = append(out, difference{after: n})
			continue
		}
		delete(old, n.Path)
		if o := &before[j]; o.Value != n.Value || o.same != n.same || o.Sensitive != n.Sensitive {
			out = append(out, difference{before: o, after: n})
		}
	}
	gone := slices.SortedFunc(maps.Values(old), cmp.Compare[int])
	for _, j := range gone {
		out = append(out, difference{before: &before[j]})
	}
	return out
}

// difference is one attribute that differs; a nil side is "not set".
type difference struct{ before, after *Attribute }

func (d difference) path() string {
	if d.after != nil {
		return d.after.Path
	}
	return d.before.Path
}

func (d difference) effect() Effect {
	switch {
	case d.after == nil:
		return d.before.Effect
	case d.before == nil:
		return d.after.Effect
	}
	return max(d.before.Effect, d.after.Effect)
}

// public is the difference as a plan shows it.
func (d difference) public(replaces bool) Difference {
	out := Difference{Path: d.path(), Replaces: replaces}
	side := func(a *Attribute) *string {
		if a == nil {
			return nil
		}
		out.Sensitive = out.Sensitive || a.Sensitive
		return &a.Value
	}
	out.Before, out.After = side(d.before), side(d.after)
	if out.Sensitive { // a value next to a secret may be the secret of yesterday
		hidden := ""
		if out.Before != nil {
			out.Before = &hidden
		}
		if out.After != nil {
			out.After = &hidden
		}
	}
	return out
}
