package config

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// The bounds of workloads.
const (
	maxReplicas    = 10_000
	maxAllReplicas = 1_000_000
	defaultStop    = 30 * time.Second
	minMemory      = 6 * fleet.MiB // less is refused by Docker
)

var (
	imageID        = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	realtimeSignal = regexp.MustCompile(`^SIGRT(MIN|MAX)([+-][0-9]{1,2})?$`)
)

// workload decodes one workload that is kept running.
func (e *evaluation) workload(i *instance) cty.Value {
	w := fleet.Workload{Name: fleet.WorkloadName(i.name)}
	e.common(i, &w)
	i.health(&w)
	i.update(&w)
	i.hooks(&w)
	return e.add(i, w)
}

// common decodes what workloads and jobs share.
func (e *evaluation) common(i *instance, w *fleet.Workload) {
	i.scale(w)
	e.replicas += w.Replicas
	if e.replicas > maxAllReplicas {
		_ = e.c.meter.fail("The workloads have more than %d replicas together.", maxAllReplicas)
	}
	w.PullPolicy = fleet.PullPolicy(i.choice("pull_policy", string(fleet.PullMissing), string(fleet.PullMissing), string(fleet.PullAlways), string(fleet.PullNever)))
	w.StopTimeout = i.duration("stop_timeout", defaultStop)
	e.spec(i, w)
	i.resources(w)
	e.placement(i, w)
	w.Exclusive = i.boolean("exclusive", false)
	w.DependsOn = sortedSet(i.addresses("depends_on", "workload", "job"))
}

// add puts a decoded workload or job into the fleet.
func (e *evaluation) add(i *instance, w fleet.Workload) cty.Value {
	e.out.Fleet.Workloads = append(e.out.Fleet.Workloads, w)
	e.declare(i, w.Addr())
	return workloadValue(w)
}

// workloadValue is how expressions see a workload. What a port chosen automatically will be is not known.
func workloadValue(w fleet.Workload) cty.Value {
	ports := map[string]cty.Value{}
	for _, p := range w.Spec.Ports {
		host := cty.NullVal(cty.Number)
		switch p.Policy {
		case fleet.PortFixed:
			host = cty.NumberIntVal(int64(p.Host))
		case fleet.PortAuto:
			host = cty.UnknownVal(cty.Number)
		}
		ports[p.Name] = cty.ObjectVal(map[string]cty.Value{"container": cty.NumberIntVal(int64(p.Container)), "host": host})
	}
	replicas := cty.NumberIntVal(int64(w.Replicas))
	if w.Mode == fleet.Global {
		replicas = cty.UnknownVal(cty.Number)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"id": cty.StringVal(string(w.Addr())), "name": cty.StringVal(string(w.Name)),
		"image": cty.StringVal(w.Spec.Image.Ref), "replicas": replicas, "ports": cty.ObjectVal(ports),
	})
}

// sortedSet sorts a list and drops repetitions; order and number mean nothing where it is used.
func sortedSet[T ~string](l []T) []T {
	slices.Sort(l)
	return slices.Compact(l)
}

func (d *decoder) scale(w *fleet.Workload) {
	w.Mode = fleet.Mode(d.choice("mode", string(fleet.Replicated), string(fleet.Replicated), string(fleet.Global)))
	n, ok := d.integer("replicas", 0, maxReplicas)
	switch {
	case w.Mode == fleet.Global && d.body.attrs["replicas"] != nil:
		d.bad(d.body.attrs["replicas"], `With mode = "global" there is one replica on each eligible host, so their number cannot be given.`, "take replicas out")
	case w.Mode == fleet.Replicated && !ok:
		w.Replicas = 1
	case w.Mode == fleet.Replicated:
		w.Replicas = int(n)
	}
}

func (d *decoder) resources(w *fleet.Workload) {
	n := d.block("resources")
	if n == nil {
		return
	}
	defer d.join(n)
	w.Reserve.CPU, w.Spec.Limits.CPU = n.cores("cpu"), n.cores("cpu_max")
	w.Reserve.Memory = n.size("memory")
	w.Spec.Limits.Memory = w.Reserve.Memory
	if n.body.attrs["memory_max"] != nil {
		if m := n.size("memory_max"); m != 0 {
			w.Spec.Limits.Memory = m
		}
	}
	if g, ok := n.integer("gpus", 0, 1024); ok {
		w.Reserve.GPUs, w.Spec.GPUs = int(g), int(g)
	}
	l := w.Spec.Limits
	switch {
	case l.CPU != 0 && l.CPU < w.Reserve.CPU:
		n.bad(n.body.attrs["cpu_max"], fmt.Sprintf("The limit, %s cores, is less than the %s reserved.", l.CPU, w.Reserve.CPU), "cpu_max = "+w.Reserve.CPU.String())
	case l.Memory < w.Reserve.Memory:
		n.bad(n.body.attrs["memory_max"], fmt.Sprintf("The limit, %s, is less than the %s reserved.", l.Memory, w.Reserve.Memory), fmt.Sprintf("memory_max = %q", w.Reserve.Memory))
	case l.Memory != 0 && l.Memory < minMemory:
		a := n.body.attrs["memory_max"]
		if a == nil {
			a = n.body.attrs["memory"]
		}
		n.bad(a, fmt.Sprintf("The limit, %s, is less than the 6MiB that a container needs.", l.Memory), "")
	}
}

// spec decodes what a container is made from.
func (e *evaluation) spec(i *instance, w *fleet.Workload) {
	s := &w.Spec
	s.Image.Ref = i.image()
	s.Entrypoint = i.argv("entrypoint")
	s.Command = i.argv("command")
	if len(s.Command) == 0 {
		s.Command = nil
	}
	s.WorkingDir = i.absPath("working_dir")
	s.User = i.str("user")
	if h, ok := i.strOK("hostname"); ok {
		s.Hostname = h
		if !validHostname(h) || len(h) > 63 {
			i.bad(i.body.attrs["hostname"], fmt.Sprintf("%q cannot be a host name.", h), "")
		}
	}
	s.Env = i.environment(e)
	s.Labels = i.labels("labels")
	i.networking(s)
	i.ports(s)
	i.mounts(s)
	i.files(e, s)
	i.security(s)
	i.limits(s)
	s.Restart = i.restart(w)
	s.StopSignal = i.signal("stop_signal")
	if n := i.block("logging"); n != nil {
		if n.require("driver") {
			s.Logging.Driver = n.driver(n.str("driver"))
		}
		s.Logging.Options = n.stringMap("options")
		i.join(n)
	}
}

// image reads and normalises the image reference: what is missing of the tag is filled in, nothing else.
func (d *decoder) image() string {
	if !d.require("image") {
		return ""
	}
	s, ok := d.strOK("image")
	a := d.body.attrs["image"]
	if !ok {
		if len(d.diags) == 0 {
			d.bad(a, "The image is null.", "")
		}
		return ""
	}
	if imageID.MatchString(s) {
		return s // an image by its id
	}
	ref, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		remedy := ""
		if l := strings.ToLower(s); l != s {
			if _, err := reference.ParseNormalizedNamed(l); err == nil {
				remedy = fmt.Sprintf("image = %q", l)
			}
		}
		d.bad(a, fmt.Sprintf("%q is not an image reference: %s.", s, err), remedy)
		return ""
	}
	if reference.IsNameOnly(ref) {
		return s + ":latest"
	}
	return s
}

// argv reads a command: a list, or a string that is split into words without a shell.
func (d *decoder) argv(name string) []string {
	v, a, ok := d.plain(name)
	if !ok {
		return nil
	}
	if v.Type() != cty.String {
		return d.toStrings(v, a)
	}
	words, err := splitWords(v.AsString())
	if err != nil {
		d.bad(a, fmt.Sprintf("%s is split into words without a shell, and that fails: %s.", name, err), name+` = ["...", "..."]`)
	}
	return words
}

// absPath reads a path inside the container.
func (d *decoder) absPath(name string) string {
	s, ok := d.strOK(name)
	if !ok {
		return ""
	}
	if !strings.HasPrefix(s, "/") {
		d.bad(d.body.attrs[name], fmt.Sprintf("%q is not an absolute path in the container.", s), "")
		return ""
	}
	return path.Clean(s)
}

// signal reads a signal and writes it as SIGTERM is written.
func (d *decoder) signal(name string) string {
	s, ok := d.strOK(name)
	if !ok {
		return ""
	}
	sig, ok := signalName(s)
	if !ok {
		d.bad(d.body.attrs[name], fmt.Sprintf("%q is not a signal.", s), name+` = "SIGTERM"`)
	}
	return sig
}

// signalName normalises "hup", "HUP", "SIGHUP" and "1"; numbers other than the common ones stay numbers.
func signalName(s string) (string, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		named := map[int]string{1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 9: "SIGKILL", 15: "SIGTERM"}
		if sig := named[n]; sig != "" {
			return sig, true
		}
		return s, n > 0 && n <= 64
	}
	sig := "SIG" + strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if realtimeSignal.MatchString(sig) {
		return sig, true
	}
	return sig, slices.Contains(words(`SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV
		SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ
		SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS`), sig)
}

// environment reads env over env_file. A null in env takes a variable of a file away.
func (d *decoder) environment(e *evaluation) map[string]fleet.Text {
	out := map[string]fleet.Text{}
	d.envFiles(out)
	v, a, ok := d.value("env")
	if ok {
		d.envMap(e, v, a, out)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (d *decoder) envFiles(out map[string]fleet.Text) {
	files := d.strings("env_file")
	a := d.body.attrs["env_file"]
	for _, f := range files {
		src, err := d.c.root.file(f)
		if err != nil {
			d.bad(a, sentence(err.Error()), "")
			continue
		}
		vars, err := parseEnvFile(src)
		if err != nil {
			d.bad(a, fmt.Sprintf("%s: %s.", f, err), "")
			continue
		}
		for k, v := range vars {
			out[k] = fleet.Text{Plain: v}
		}
	}
}

func (d *decoder) envMap(e *evaluation, v cty.Value, a *attr, out map[string]fleet.Text) {
	whole, marks := v.Unmark()
	if !whole.IsKnown() {
		d.isPlain(whole, a)
		return
	}
	if !whole.Type().IsObjectType() && !whole.Type().IsMapType() {
		d.wrongType(a, "a map of strings", whole)
		return
	}
	for it := whole.ElementIterator(); it.Next(); {
		k, x := it.Element()
		name := k.AsString()
		if name == "" || strings.ContainsAny(name, "=\x00") {
			d.bad(a, fmt.Sprintf("%q cannot be the name of an environment variable.", name), "")
			continue
		}
		x = x.WithMarks(marks)
		plain, _ := x.Unmark()
		if plain.IsNull() {
			delete(out, name)
			continue
		}
		if !plain.IsKnown() {
			d.add(diag.CodeEvaluate, "Value not known yet", a.expr.Range(), fmt.Sprintf("The value of %q depends on something that is known only after apply. It must be known for the plan.", name), "")
			continue
		}
		s, ok := toText(x)
		if !ok {
			d.add(diag.CodeType, "Wrong type", a.expr.Range(), fmt.Sprintf("The value of %q in env is %s; a string is wanted.", name, describe(plain)), "jsonencode(...)")
			continue
		}
		if p, _ := s.Unmark(); d.clean(p.AsString(), a) {
			out[name] = d.text(e, s)
		}
	}
}
