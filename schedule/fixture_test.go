package schedule

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
)

// TestFixtures runs testdata/*.txt. Each file is any number of cases: `# title`, then what is there, a
// line a thing (see parser), `---`, and what Place makes of it, as render writes it.
func TestFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range strings.Split("\n"+string(b), "\n# ")[1:] {
			title, body, _ := strings.Cut(c, "\n")
			t.Run(strings.TrimSuffix(filepath.Base(f), ".txt")+"/"+title, func(t *testing.T) {
				given, want, ok := strings.Cut(body, "---\n")
				if !ok {
					t.Fatal("no --- line")
				}
				got := answers(t, given)
				if d := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(got)); d != "" {
					t.Errorf("Place (-want +got):\n%s", d)
				}
			})
		}
	}
}

// answers places what is given, and answers the questions that are asked of it, a line each:
//
//	ask lose web1,web2
//	ask survival
//	ask why web[0]
func answers(t *testing.T, given string) string {
	var lines []string
	var questions [][]string
	for _, line := range strings.Split(given, "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "ask" {
			questions = append(questions, words[1:])
		} else {
			lines = append(lines, line)
		}
	}
	s := Stand(parse(t, strings.Join(lines, "\n")))
	var b strings.Builder
	if len(questions) == 0 {
		return render(s.Assignment())
	}
	for _, q := range questions {
		switch q[0] {
		case "lose":
			var hosts []fleet.HostName
			for _, h := range strings.Split(q[1], ",") {
				hosts = append(hosts, fleet.HostName(h))
			}
			d := s.Lose(hosts)
			fmt.Fprintf(&b, "lose %s\n%s", q[1], render(fleet.Assignment{Placed: d.Placed, Refused: d.Refused, Displaced: d.Displaced}))
		case "survival":
			b.WriteString(renderSurvival(s.Survival()))
		case "why":
			b.WriteString(renderWhy(s, q[1]))
		default:
			t.Fatalf("unknown question %q", q)
		}
	}
	return b.String()
}

func renderSurvival(v fleet.Survival) string {
	var b strings.Builder
	fmt.Fprintf(&b, "survival of %d hosts, labels %v\n", v.Hosts, v.Labels)
	for _, l := range v.Losses {
		fmt.Fprintf(&b, "loss %s %v", strings.TrimSuffix(l.Label+"="+l.Value, "="), l.Hosts)
		if len(l.Down) > 0 {
			fmt.Fprintf(&b, " down %v", l.Down)
		}
		b.WriteByte('\n')
		for _, r := range l.Refused {
			fmt.Fprintf(&b, "  %s\n", Explain(r))
		}
	}
	return b.String()
}

func renderWhy(s *Standing, replica string) string {
	id, _ := fleet.Addr("workload." + replica).Replica()
	w, ok := s.Why(id)
	if !ok {
		return "why " + replica + ": unknown\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "why %s at %q from %q (%s), %d fit\n", replica, w.Host, w.From, w.Reason, w.Fitting)
	for _, f := range w.Filters {
		fmt.Fprintf(&b, "  not %s\n", ExplainFilter(f))
	}
	for _, x := range w.Scores {
		fmt.Fprintf(&b, "  %s", x.Host)
		for _, t := range x.Terms {
			fmt.Fprintf(&b, "; %s %s", t.Name, t.Value)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// render writes an assignment, one line a thing. Loads are left out unless something is reserved.
func render(a fleet.Assignment) string {
	var b strings.Builder
	for _, p := range a.Placed {
		fmt.Fprintf(&b, "%s %s", short(p.Replica), p.Host)
		for _, n := range slices.Sorted(maps.Keys(p.HostPorts)) {
			fmt.Fprintf(&b, " %s=%d", n, p.HostPorts[n])
		}
		if p.From != "" && p.From != p.Host {
			fmt.Fprintf(&b, " from %s", p.From)
		}
		if p.Reason != "" {
			fmt.Fprintf(&b, " (%s)", p.Reason)
		}
		b.WriteByte('\n')
	}
	for _, g := range a.Displaced {
		fmt.Fprintf(&b, "out %s %s (%s)\n", short(g.Replica), g.Host, g.Reason)
	}
	for _, g := range a.Gone {
		fmt.Fprintf(&b, "gone %s %s (%s)\n", short(g.Replica), g.Host, g.Reason)
	}
	for _, r := range a.Refused {
		fmt.Fprintln(&b, Explain(r))
	}
	return b.String()
}

// parser reads fixtures:
//
//	host web1 zone=a cpu=4 memory=2048 gpus=1 arch=arm64 taken=80/tcp@127.0.0.1 cordon drain unknown
//	host web1 reserve.memory=512
//	volume data per_replica nfs
//	at data web1              the volume exists there; at data web[0] web1: that of a replica
//	workload web 3 memory=512 port=http:80 port=x:auto port=y:53/udp@10.0.0.1 hosts=web1,web2
//	workload web global wants=disk:ssd spread=zone,rack max=1 mount=data arch=amd64,arm64 hostnet=80 frozen
//	now web[0] web1 http=20000 holds memory=256
//	frozen old                of a workload that is not declared
//	host web1 lost addr=10.0.0.1 os=linux engine=docker version=20.10.24 devices=/dev/kvm,/dev/fuse
//	workload web 3 priority=80 binpack exclusive device=/dev/kvm
//	workload web 3 constraint=zone:in:a,b constraint=host.engine_version:version:>=_20.10,_<_28
//	workload web 3 affinity=50:disk:=:ssd affinity=-20:workload.cache
//	now web[0] web1 unhealthy
//	rebalance                 also move what could stay
//
// Memory is in MiB. Other words with = on a host are labels. In the values of constraints and affinities _ is a space,
// and a comma parts values of in and not_in only.
type parser struct {
	t  testing.TB
	in Input
	f  *fleet.Fleet
}

func parse(t testing.TB, text string) Input {
	p := &parser{t: t, f: &fleet.Fleet{Name: "shop"}}
	p.in = Input{
		Fleet: p.f, Current: map[fleet.ReplicaID]Current{}, Hosts: map[fleet.HostName]HostFacts{},
		Volumes: map[VolumeKey][]fleet.HostName{}, Archs: map[fleet.WorkloadName][]string{},
		Frozen: map[fleet.WorkloadName]bool{},
	}
	for _, line := range strings.Split(text, "\n") {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		switch w[0] {
		case "host":
			p.host(w[1], w[2:])
		case "volume":
			v := fleet.Volume{Name: fleet.VolumeName(w[1]), Driver: "local", PerReplica: slices.Contains(w, "per_replica")}
			if slices.Contains(w, "nfs") {
				v.Options = map[string]string{"type": "nfs"}
			}
			p.f.Volumes = append(p.f.Volumes, v)
		case "at":
			k := VolumeKey{Volume: fleet.VolumeName(w[1])}
			if len(w) == 4 {
				k.Replica = p.replica(w[2])
			}
			p.in.Volumes[k] = append(p.in.Volumes[k], fleet.HostName(w[len(w)-1]))
		case "workload":
			p.workload(w[1], w[2], w[3:])
		case "now":
			p.now(w[1], w[2], w[3:])
		case "rebalance":
			p.in.Rebalance = true
		case "frozen":
			p.in.Frozen[fleet.WorkloadName(w[1])] = true
		default:
			t.Fatalf("unknown line %q", line)
		}
	}
	return p.in
}

func (p *parser) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// resource sets one field of r, if that is what k names.
func (p *parser) resource(r *fleet.Resources, k, v string) bool {
	switch k {
	case "cpu":
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		r.CPU = fleet.CPU(f * 1000)
	case "memory":
		r.Memory = fleet.Bytes(p.number(v)) * fleet.MiB
	case "gpus":
		r.GPUs = p.number(v)
	default:
		return false
	}
	return true
}

func (p *parser) host(name string, words []string) {
	h := fleet.Host{Name: fleet.HostName(name), Labels: map[string]string{}}
	facts := HostFacts{Known: true}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		switch {
		case p.resource(&facts.Capacity, k, v):
		case strings.HasPrefix(k, "reserve.") && p.resource(&h.Reserve, k[len("reserve."):], v):
		case strings.HasPrefix(k, "declared.") && p.resource(&h.Capacity, k[len("declared."):], v):
		case k == "arch":
			facts.Arch = v
		case k == "addr":
			h.Address = v
		case k == "os":
			facts.OS = v
		case k == "engine":
			facts.Engine = v
		case k == "version":
			facts.EngineVersion = v
		case k == "devices":
			h.Devices = strings.FieldsFunc(v, func(r rune) bool { return r == ',' })
		case k == "lost":
			facts.Lost = true
		case k == "cordon":
			h.Cordon = true
		case k == "drain":
			h.Drain = true
		case k == "unknown":
			facts.Known = false
		case k == "taken":
			c := p.port("x", v)
			facts.Taken = append(facts.Taken, fleet.PublishedPort{Bind: c.Bind, Host: c.Host, Protocol: c.Protocol})
		default:
			h.Labels[k] = v
		}
	}
	p.f.Hosts = append(p.f.Hosts, h)
	p.in.Hosts[h.Name] = facts
}

// port reads 80, 80/udp, 80/udp@127.0.0.1, auto and auto/udp.
func (p *parser) port(name, s string) fleet.Port {
	c := fleet.Port{Name: name, Container: 8080, Policy: fleet.PortFixed}
	s, c.Bind, _ = strings.Cut(s, "@")
	s, c.Protocol, _ = strings.Cut(s, "/")
	if c.Protocol == "" {
		c.Protocol = "tcp"
	}
	if s == "auto" {
		c.Policy = fleet.PortAuto
	} else {
		c.Host = uint16(p.number(s))
	}
	return c
}

func (p *parser) workload(name, n string, words []string) {
	w := fleet.Workload{Name: fleet.WorkloadName(name), Mode: fleet.Replicated}
	if n == "global" {
		w.Mode = fleet.Global
	} else {
		w.Replicas = p.number(n)
	}
	for _, word := range words {
		k, v, _ := strings.Cut(word, "=")
		a, b, _ := strings.Cut(v, ":")
		switch {
		case p.resource(&w.Reserve, k, v):
		case k == "port":
			w.Spec.Ports = append(w.Spec.Ports, p.port(a, b))
		case k == "hostnet":
			w.Spec.NetworkMode = "host"
			w.Spec.Ports = append(w.Spec.Ports, fleet.Port{Name: "n", Container: uint16(p.number(v)), Protocol: "tcp"})
		case k == "hosts":
			for _, h := range strings.Split(v, ",") {
				w.Placement.Hosts = append(w.Placement.Hosts, fleet.HostName(h))
			}
		case k == "wants":
			if w.Placement.Labels == nil {
				w.Placement.Labels = map[string]string{}
			}
			w.Placement.Labels[a] = b
		case k == "spread":
			w.Placement.Spread = strings.Split(v, ",")
		case k == "max":
			w.Placement.MaxPerHost = p.number(v)
		case k == "mount":
			w.Spec.Mounts = append(w.Spec.Mounts, fleet.Mount{Target: "/" + v, Kind: fleet.MountVolume, Volume: fleet.VolumeName(v)})
		case k == "constraint":
			attribute, op, values := comparison(v)
			w.Placement.Constraints = append(w.Placement.Constraints, fleet.Constraint{Attribute: attribute, Operator: op, Values: values})
		case k == "affinity":
			aff := fleet.Affinity{Weight: p.number(a)}
			aff.Attribute, aff.Operator, aff.Values = comparison(b)
			w.Placement.Affinities = append(w.Placement.Affinities, aff)
		case k == "priority":
			w.Placement.Priority = p.number(v)
		case k == "binpack":
			w.Placement.Strategy = fleet.StrategyBinpack
		case k == "exclusive":
			w.Exclusive = true
		case k == "device":
			w.Spec.Devices = append(w.Spec.Devices, fleet.Device{Host: v, Container: v, Permissions: "rwm"})
		case k == "arch":
			p.in.Archs[w.Name] = strings.Split(v, ",")
		case k == "frozen":
			p.in.Frozen[w.Name] = true
		default:
			p.t.Fatalf("workload %s: unknown word %q", name, word)
		}
	}
	p.f.Workloads = append(p.f.Workloads, w)
}

// comparison reads attribute:operator:values, or an attribute alone.
func comparison(s string) (attribute string, op fleet.Operator, values []string) {
	parts := strings.SplitN(s, ":", 3)
	if len(parts) < 3 {
		return parts[0], "", nil
	}
	op, v := fleet.Operator(parts[1]), strings.ReplaceAll(parts[2], "_", " ")
	if op == fleet.OpIn || op == fleet.OpNotIn {
		return parts[0], op, strings.Split(v, ",")
	}
	return parts[0], op, []string{v}
}

func (p *parser) replica(s string) fleet.ReplicaID {
	r, ok := fleet.Addr("workload." + s).Replica()
	if !ok {
		p.t.Fatalf("%q is not a replica", s)
	}
	return r
}

func (p *parser) now(replica, host string, words []string) {
	c := Current{Host: fleet.HostName(host)}
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		switch {
		case k == "holds":
			c.Holds = true
		case k == "unhealthy":
			c.Unhealthy = true
		case p.resource(&c.Reserve, k, v):
		case ok:
			if c.HostPorts == nil {
				c.HostPorts = map[string]uint16{}
			}
			c.HostPorts[k] = uint16(p.number(v))
		default:
			p.t.Fatalf("now %s: unknown word %q", replica, w)
		}
	}
	p.in.Current[p.replica(replica)] = c
}
