package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/plaintext"
	"github.com/stowage-run/stowage/reconcile"
)

func newWhy(a *app) *cobra.Command {
	var vars variableFlags
	var refresh bool
	cmd := &cobra.Command{
		Use:   "why [flags] ADDR",
		Short: "Explain where a replica is, and why not elsewhere",
		Long: `Looks at every host and says where the replica at ADDR (workload.web[2]) is or would be, which hosts do not
take it and for what, and how the others compare. Of a workload (workload.web) it says a line for each
replica. Nothing is changed.`,
		Args: args(1, 1, "one address, such as workload.web[2]"),
		RunE: func(cmd *cobra.Command, words []string) error {
			name, slot, err := replicaArg(words[0])
			if err != nil {
				return usageError(cmd, err.Error())
			}
			s, err := a.openSession(cmd.Context(), &vars)
			if err != nil {
				return err
			}
			defer s.close()
			return s.why(cmd, name, slot, reconcile.Options{NoRefresh: !refresh})
		},
	}
	vars.add(cmd)
	cmd.Flags().BoolVar(&refresh, "refresh", true, "look at the hosts; -refresh=false trusts the record")
	return cmd
}

// replicaArg reads workload.web[2], or workload.web: every slot, -1. The kind may be left out.
func replicaArg(text string) (fleet.WorkloadName, fleet.Slot, error) {
	if !strings.HasPrefix(text, "workload.") {
		text = "workload." + text
	}
	a, err := fleet.ParseAddr(text)
	if err != nil {
		return "", 0, err
	}
	if r, ok := a.Replica(); ok {
		return r.Workload, r.Slot, nil
	}
	return fleet.WorkloadName(a.Name()), -1, nil
}

func (s *session) why(cmd *cobra.Command, name fleet.WorkloadName, slot fleet.Slot, o reconcile.Options) error {
	w, _, err := s.wanted(cmd.Context())
	if err != nil {
		return err
	}
	all, err := s.pass(nil).Why(cmd.Context(), w, o, name, slot)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return (&diag.ListError{List: diag.List{{
			Code: diag.CodeNoSuch, Summary: "No such replica: " + whichReplica(name, slot),
			Detail: "The configuration wants no replica of that address.", Remedy: "stowage status",
		}}})
	}
	var b strings.Builder
	if len(all) == 1 {
		explainReplica(&b, &all[0])
	} else {
		for i := range all {
			fmt.Fprintf(&b, "%s\n", standsWhere(&all[i]))
		}
		fmt.Fprintf(&b, "\nstowage why %s   says how the hosts compare for one of them.\n", all[0].Replica.Addr())
	}
	_, err = io.WriteString(s.out, plaintext.Clean(b.String()))
	return err
}

func whichReplica(name fleet.WorkloadName, slot fleet.Slot) string {
	if slot < 0 {
		return string(fleet.WorkloadAddr(name))
	}
	return string(fleet.ReplicaID{Workload: name, Slot: slot}.Addr())
}

// standsWhere says where a replica is and why, in a line.
func standsWhere(e *reconcile.Explanation) string {
	addr := e.Replica.Addr()
	switch {
	case e.Host == "" && e.Waits:
		return fmt.Sprintf("%s waits for room that replicas of higher priority hold", addr)
	case e.Host == "":
		return fmt.Sprintf("%s has no place", addr)
	case e.From == "":
		return fmt.Sprintf("%s would be made on %s", addr, e.Host)
	case e.From != e.Host:
		return fmt.Sprintf("%s would move from %s to %s: %s", addr, e.From, e.Host, e.Reason)
	}
	return fmt.Sprintf("%s stands on %s, and nothing moves it", addr, e.Host)
}

func explainReplica(b *strings.Builder, e *reconcile.Explanation) {
	fmt.Fprintf(b, "%s.\n", standsWhere(e))
	if r := e.Record; r != nil && r.Reason != "" {
		fmt.Fprintf(b, "Its last container was made on %s in release %d, at %s: %s.\n", r.Host, r.Release, r.Changed.Format("2006-01-02 15:04 MST"), r.Reason)
	}
	if len(e.Filters) > 0 {
		b.WriteString("\nHosts that do not take it:\n")
		for _, f := range e.Filters {
			fmt.Fprintf(b, "  %s\n", filterLine(f))
		}
	}
	if len(e.Scores) == 0 {
		return
	}
	fmt.Fprintf(b, "\nHosts that take it, best first, by the first column that differs")
	if more := e.Fitting - len(e.Scores); more > 0 {
		fmt.Fprintf(b, " (%d of %d)", len(e.Scores), e.Fitting)
	}
	b.WriteString(":\n")
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "  HOST")
	for _, t := range e.Scores[0].Terms {
		fmt.Fprintf(w, "\t%s", strings.ToUpper(t.Name))
	}
	fmt.Fprintln(w)
	for _, s := range e.Scores {
		mark := ""
		if s.Host == e.Host {
			mark = " *"
		}
		fmt.Fprintf(w, "  %s%s", s.Host, mark)
		for _, t := range s.Terms {
			fmt.Fprintf(w, "\t%s", t.Value)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

// filterLine reads "2 hosts drained (web1, web2)".
func filterLine(f fleet.FilterCount) string {
	line := fmt.Sprintf("%d hosts %s", f.Hosts, f.Filter)
	if f.Hosts == 1 {
		line = "1 host " + f.Filter
	}
	if f.Detail != "" {
		line += " (" + f.Detail + ")"
	}
	return line
}
