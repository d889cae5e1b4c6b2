package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/plaintext"
	"github.com/stowage-run/stowage/state"
)

func newHistory(a *app) *cobra.Command {
	var n int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history [flags]",
		Short: "List what was carried out, by whom and with what result",
		Long: `Lists every plan that was carried out and the release that it made, the newest last: what triggered it, how it ended,
which workloads it changed, and of which commit the configuration was. 'stowage show RELEASE' and 'stowage show PLAN'
say more of one; 'stowage rollback RELEASE' goes back to one.`,
		Args: args(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n < 0 {
				return usageError(cmd, "-n wants a number; 0 is all")
			}
			s, err := a.openSession(cmd.Context(), &a.vars)
			if err != nil {
				return err
			}
			defer s.close()
			return s.history(cmd.Context(), n, asJSON)
		},
	}
	a.vars.add(cmd)
	cmd.Flags().IntVarP(&n, "number", "n", 20, "list the last `N`; 0: all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// event is one plan that was carried out, with the release that it made.
type event struct {
	Release fleet.Release    `json:"release,omitempty"` // 0: it made none
	Current bool             `json:"current,omitempty"`
	Plan    string           `json:"plan"`
	When    time.Time        `json:"when"`
	Ended   time.Time        `json:"ended,omitzero"`
	Who     string           `json:"who"`
	Why     string           `json:"why"` // "apply", "rollback", ...
	Result  state.PlanResult `json:"result"`
	Summary string           `json:"summary,omitempty"`
	Changed []string         `json:"changed,omitempty"` // "+web", "~api", "-old"
	Config  string           `json:"config,omitempty"`
	Commit  string           `json:"commit,omitempty"`
	Errors  []string         `json:"errors,omitempty"`
	Failed  []string         `json:"quarantined,omitempty"` // workloads whose change of this release is not tried again as it is
}

// history prints the last n plans; 0: all.
func (s *session) history(ctx context.Context, n int, asJSON bool) error {
	snap, err := s.recorded(ctx)
	if err != nil {
		return err
	}
	releases, err := state.Releases(ctx, s.store)
	if err != nil {
		return err
	}
	plans, err := state.Plans(ctx, s.store)
	if err != nil {
		return err
	}
	events := eventsOf(snap, releases, plans)
	older := 0
	if n > 0 && len(events) > n {
		older, events = len(events)-n, events[len(events)-n:]
	}
	if asJSON {
		return writeJSON(s.out, map[string]any{"format_version": "1.0", "fleet": snap.Meta.Name, "older": older, "history": events})
	}
	s.printHistory(events, older)
	return nil
}

// eventsOf joins the releases with the plans that made them, the oldest first. A release whose plan is not recorded, as after a
// state that was made anew, stands for itself.
func eventsOf(snap *state.Snapshot, releases []state.Release, plans []state.PlanRecord) []event {
	made := map[string]*event{}
	events := make([]event, 0, len(plans)+len(releases))
	for _, p := range plans {
		events = append(events, event{Plan: p.ID, When: p.Started, Ended: p.Ended, Who: p.Who, Why: p.Trigger, Result: p.Result, Summary: p.Summary, Errors: p.Errors})
	}
	for i := range events {
		made[events[i].Plan] = &events[i]
	}
	var alone []event
	var before fleet.Fleet
	for i := range releases {
		r := &releases[i]
		e := made[r.Plan]
		if e == nil {
			alone = append(alone, event{Plan: r.Plan, When: r.Made, Who: r.Who, Why: r.Why})
			e = &alone[len(alone)-1]
		}
		e.Release, e.Current, e.Config, e.Commit = r.Number, r.Number == snap.Release, r.Config, r.Commit
		e.Changed = changedWorkloads(before, r.Fleet)
		for _, name := range sortedKeys(snap.Rollouts) {
			if x := snap.Rollouts[name]; x.Release == r.Number && x.Quarantined(x.To) {
				e.Failed = append(e.Failed, fmt.Sprintf("%s: %s", fleet.WorkloadAddr(name), x.Why))
			}
		}
		before = r.Fleet
	}
	events = append(events, alone...)
	slices.SortStableFunc(events, func(a, b event) int {
		return cmp.Or(a.When.Compare(b.When), cmp.Compare(a.Release, b.Release))
	})
	return events
}

// changedWorkloads says which workloads a release wants otherwise than the one before: "+web", "~api", "-old".
func changedWorkloads(before, after fleet.Fleet) []string {
	texts := func(f fleet.Fleet) map[fleet.WorkloadName]string {
		out := make(map[fleet.WorkloadName]string, len(f.Workloads))
		for _, w := range f.Workloads {
			b, err := json.Marshal(w)
			if err == nil { // a workload is data alone
				out[w.Name] = string(b)
			}
		}
		return out
	}
	was, is := texts(before), texts(after)
	names := map[fleet.WorkloadName]string{}
	for n, text := range is {
		if old, ok := was[n]; !ok {
			names[n] = "+"
		} else if old != text {
			names[n] = "~"
		}
	}
	for n := range was {
		if _, ok := is[n]; !ok {
			names[n] = "-"
		}
	}
	var out []string
	for _, n := range sortedKeys(names) {
		out = append(out, names[n]+string(n))
	}
	return out
}

// printHistory writes the history for people.
func (s *session) printHistory(events []event, older int) {
	if len(events) == 0 {
		fmt.Fprintln(s.out, "Nothing was carried out yet. 'stowage plan' shows what would be.")
		return
	}
	s.table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "RELEASE\tWHEN\tWHO\tWHY\tRESULT\tCHANGED\tCOMMIT\tCONFIG\tPLAN")
		for _, e := range events {
			number := "-"
			if e.Release > 0 {
				number = fmt.Sprint(e.Release)
			}
			if e.Current {
				number += " *"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.8s\n", number, when(e.When), e.Who, e.Why, resultText(e.Result), changedText(e),
				orDash(fmt.Sprintf("%.9s", e.Commit)), orDash(shortDigest(e.Config)), e.Plan)
		}
	})
	for _, e := range events {
		for _, f := range e.Failed {
			fmt.Fprintf(s.out, "Release %d failed, and is not tried again as it is: %s\n", e.Release, plaintext.Line(f))
		}
	}
	if older > 0 {
		fmt.Fprintf(s.out, "%d older: stowage history -n=0 lists all.\n", older)
	}
}

// resultText is how a plan ended, for people. One that still runs may have been cut off.
func resultText(r state.PlanResult) string {
	switch r {
	case "":
		return "-"
	case state.PlanRunning:
		return "running or cut off"
	}
	return string(r)
}

// mostChanged bounds how many workloads a line of the history names.
const mostChanged = 4

// changedText is what a plan changed, in a few words: which workloads, and how many objects.
func changedText(e event) string {
	var counts []string
	for _, part := range strings.Split(e.Summary, ", ") {
		if part != "" && !strings.HasPrefix(part, "0 ") {
			counts = append(counts, part)
		}
	}
	names := e.Changed
	if n := len(names) - mostChanged; n > 0 {
		names = append(slices.Clone(names[:mostChanged]), fmt.Sprintf("and %d more", n))
	}
	text := strings.Join(names, " ")
	switch {
	case len(counts) > 0 && text != "":
		return text + " (" + strings.Join(counts, ", ") + ")"
	case len(counts) > 0:
		return strings.Join(counts, ", ")
	}
	return orDash(text)
}

// orDash is the text, or a dash where there is none.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// shortDigest is as much of a digest as tells two apart.
func shortDigest(d string) string { return fmt.Sprintf("%.9s", strings.TrimPrefix(d, "sha256:")) }

// when is a moment as people read it, where they are.
func when(t time.Time) string { return t.Local().Format(time.DateTime) }
