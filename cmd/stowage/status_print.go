package main

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"

	"github.com/stowage-run/stowage/internal/plaintext"
)

// printStatus writes the status for people.
func (s *session) printStatus(r *statusReport) {
	c := s.color()
	if r.Release == 0 {
		fmt.Fprintf(s.out, "Fleet %s: nothing was applied yet. 'stowage plan' shows what would be.\n", s.config.Settings.Fleet)
		return
	}
	fmt.Fprintf(s.out, "%s  release %d\n\n", c.bold("Fleet "+string(r.Fleet)), r.Release)
	s.table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "HOST\tADDRESS\tENGINE\tREPLICAS\tCPU RESERVED\tMEMORY RESERVED")
		for _, h := range r.Hosts {
			address, engine, cpu, memory := h.Address, h.Engine, h.Reserved.CPU.String(), units.BytesSize(float64(h.Reserved.Memory))
			if address == "" {
				address = "(this machine)"
			}
			if h.Capacity != nil {
				cpu += " of " + h.Capacity.CPU.String()
				memory += " of " + units.BytesSize(float64(h.Capacity.Memory))
			}
			if !h.Answers {
				engine = "unknown"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", h.Name, address, engine, h.Replicas, cpu, memory)
		}
	})
	s.table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "WORKLOAD\tRUNNING\tIMAGE\t")
		for _, x := range r.Workloads {
			note := ""
			if x.Job {
				note = "job"
			}
			if x.Old > 0 {
				note = fmt.Sprintf("%d on an older revision", x.Old)
			}
			fmt.Fprintf(w, "%s\t%d/%d\t%s\t%s\n", x.Name, x.Running, x.Wanted, x.Image, note)
		}
	})
	s.table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "REPLICA\tHOST\tSTATE\tFOR\tPORTS\tCONTAINER\t")
		for _, x := range r.Replicas {
			age := ""
			if !x.Since.IsZero() && x.State == "running" {
				age = units.HumanDuration(s.now().Sub(x.Since).Round(time.Second))
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Addr.Name(), x.Host, x.State, age, statusPorts(x.Ports), x.Container, x.Detail)
		}
	})
	s.printRollouts(r)
	s.printTroubles(r)
}

func statusPorts(ports map[string]uint16) string {
	var out []string
	for _, n := range sortedKeys(ports) {
		out = append(out, fmt.Sprintf("%s:%d", n, ports[n]))
	}
	return strings.Join(out, ",")
}

// table writes aligned columns and a blank line.
func (s *session) table(fill func(*tabwriter.Writer)) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fill(w)
	w.Flush()
	for _, line := range strings.Split(strings.TrimRight(plaintext.Clean(b.String()), "\n"), "\n") {
		fmt.Fprintln(s.out, strings.TrimRight(line, " "))
	}
	fmt.Fprintln(s.out)
}

// printTroubles writes what is not as it should be.
func (s *session) printTroubles(r *statusReport) {
	c := s.color()
	for _, h := range r.Hosts {
		if !h.Answers {
			fmt.Fprintf(s.out, "%s %s could not be asked: %s\n", c.yellow("Unknown:"), h.Name, plaintext.Line(h.Why))
		}
	}
	drift := 0
	for _, x := range r.Replicas {
		if x.State != "running" && x.State != "unknown" && x.State != completed {
			drift++
		}
	}
	if drift > 0 || len(r.Strays) > 0 {
		fmt.Fprintf(s.out, "%s %d replicas are not running, %d containers of ours are not recorded. 'stowage plan' shows what would be done.\n",
			c.yellow("Drift:"), drift, len(r.Strays))
	}
	for _, d := range r.Debts {
		fmt.Fprintf(s.out, "%s %s, since %s (%s):\n", c.yellow("Owed to"), d.Host, d.Since.Local().Format(time.DateTime), plaintext.Line(d.Why))
		for _, line := range d.Steps {
			fmt.Fprintf(s.out, "  %s\n", plaintext.Line(line))
		}
	}
	if n := len(r.Intents); n > 0 && r.Locked == nil {
		fmt.Fprintf(s.out, "%s %d steps were cut off; the next plan looks at how they ended.\n", c.yellow("Unfinished:"), n)
	}
	if h := r.Locked; h != nil {
		fmt.Fprintf(s.out, "Locked by %s (pid %d, %s) since %s.\n", h.Who, h.PID, h.Operation, h.Since.Local().Format(time.DateTime))
	}
}
