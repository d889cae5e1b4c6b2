package plan

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/stowage-run/stowage/fleet"
)

func (t *text) rollouts() {
	for _, r := range t.plan.Rollouts {
		t.printf("%s %s: %s\n", t.style.bold("Rollout:"), r.Workload, r.Text)
	}
	if len(t.plan.Rollouts) > 0 {
		t.printf("\n")
	}
}

// mostHosts bounds the table of loads: beyond it only the fullest hosts help.
const mostHosts = 20

func (t *text) loads() {
	loads := t.plan.Loads
	if len(loads) == 0 || len(t.plan.Steps) == 0 {
		return
	}
	t.printf("%s\n", t.style.bold("Hosts, before -> after:"))
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for i, l := range loads {
		if i == mostHosts {
			break
		}
		fmt.Fprintf(w, "  %s\t%s\tcpu %s\tmemory %s\n", l.Host, replicas(l.Replicas),
			amount(l.Before.CPU.String(), l.After.CPU.String(), l.Capacity.CPU.String(), l.Capacity.CPU > 0),
			amount(readable(l.Before.Memory), readable(l.After.Memory), readable(l.Capacity.Memory), l.Capacity.Memory > 0))
	}
	w.Flush()
	t.Write(b.Bytes())
	if n := len(loads) - mostHosts; n > 0 {
		t.printf("  and %d more hosts\n", n)
	}
	t.printf("\n")
}

func replicas(n int) string {
	if n == 1 {
		return "1 replica"
	}
	return fmt.Sprintf("%d replicas", n)
}

func amount(before, after, of string, limited bool) string {
	s := before + " -> " + after
	if before == after {
		s = after
	}
	if limited {
		s += " of " + of
	}
	return s
}

// readable rounds a size to what people compare.
func readable(b fleet.Bytes) string {
	switch {
	case b == 0:
		return "0"
	case b >= 10*fleet.GiB:
		return fmt.Sprintf("%dGiB", b/fleet.GiB)
	case b >= fleet.GiB:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(b)/float64(fleet.GiB)), ".0") + "GiB"
	}
	return fmt.Sprintf("%dMiB", b/fleet.MiB)
}

func (t *text) exposed() {
	const most = 20
	for _, closes := range []bool{false, true} {
		var lines []string
		for _, e := range t.plan.Exposed {
			if e.Closes == closes {
				lines = append(lines, fmt.Sprintf("  %s  %s:%d/%s on %s", e.Addr, e.Bind, e.Port, e.Protocol, e.Host))
			}
		}
		if len(lines) == 0 {
			continue
		}
		head := "Becomes reachable from outside:"
		if closes {
			head = "Is no longer reachable from outside:"
		}
		more := ""
		if len(lines) > most {
			more = fmt.Sprintf("  and %d more\n", len(lines)-most)
			lines = lines[:most]
		}
		t.printf("%s\n%s\n%s\n", t.style.bold(head), strings.Join(lines, "\n"), more)
	}
}

func (t *text) images() {
	for _, n := range t.plan.Images {
		if len(n.Pull)+len(n.Send)+len(n.Other) == 0 {
			continue
		}
		t.printf("%s %s (%s): %s", t.style.bold("Image"), n.Image.Ref, shortPin(n.Image.Pin()), n.Why)
		if len(n.Pull) > 0 {
			t.printf("; pulled by %s", hostList(n.Pull))
		}
		if len(n.Send) > 0 {
			t.printf("; sent to %s", hostList(n.Send))
		}
		if len(n.Other) > 0 {
			t.printf("; %d hosts hold another image under this reference", len(n.Other))
		}
		t.printf("\n\n")
	}
}

func (t *text) skipped() {
	for _, s := range t.plan.Skipped {
		t.printf("%s %s could not be asked: %s\n", t.style.change("Unknown:"), t.style.bold(string(s.Host)), s.Why)
		for i, o := range s.Owed {
			if i == 10 {
				t.printf("  and %d more\n", len(s.Owed)-i)
				break
			}
			t.printf("  owed: %s\n", o)
		}
		t.printf("\n")
	}
}

func (t *text) outputs() {
	if len(t.plan.Outputs) == 0 {
		return
	}
	t.printf("\n%s\n", t.style.bold("Changes to Outputs:"))
	for _, o := range t.plan.Outputs {
		value := func(b []byte) string {
			switch {
			case o.Sensitive:
				return "(sensitive value)"
			case b == nil:
				return "null"
			}
			return string(b)
		}
		after := value(o.After)
		if o.Unknown {
			after = "(known after apply)"
		}
		switch o.Action {
		case Create:
			t.printf("%s %s = %s\n", t.style.symbol(Create), o.Name, after)
		case Delete:
			t.printf("%s %s = %s -> null\n", t.style.symbol(Delete), o.Name, value(o.Before))
		default:
			t.printf("%s %s = %s -> %s\n", t.style.symbol(Update), o.Name, value(o.Before), after)
		}
	}
}

// hostList names up to five hosts.
func hostList(hosts []fleet.HostName) string {
	return few(texts(hosts))
}

// few names up to five.
func few(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + fmt.Sprintf(" and %d more", len(names)-5)
	}
	return strings.Join(names, ", ")
}
