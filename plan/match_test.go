package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMatch: who has a slot, by record and observation. Lines read: slot presence@host container last generation.
func TestMatch(t *testing.T) {
	const workload = "release 1\nworkload web\n"
	for _, c := range []struct{ name, record, observed, want string }{
		{"recorded", "replica web[0] web1 g2 c1", "as recorded", "web[0] seen@web1 c1 last 2"},
		{"recorded without its id", "replica web[0] web1 g2", "web1 container web[0] g2 c1", "web[0] seen@web1 c1 last 2 adopt"},
		{"gone", "replica web[0] web1 g2 c1", "web1", "web[0] gone@web1 last 2"},
		{"silent", "replica web[0] web1 g2 c1", "silent web1 x", "web[0] unknown@web1 last 2"},
		{"vacant", "replica web[0] web1 g2", "web1", "web[0] vacant@web1 last 2"},
		{"vacant on a silent host", "replica web[0] web1 g2", "silent web1 x", "web[0] vacant@web1 last 2"},
		{"vacant, with a run on its way to a silent host", "replica web[0] web1 g2\nintent run web[0] web2 g3 op", "web1\nsilent web2 x", "web[0] unknown@web2 last 3"},
		{"a later generation elsewhere, the recorded gone", "replica web[0] web1 g1 c1", "web1\nweb2 container web[0] g2 c2", "web[0] seen@web2 c2 last 2 adopt"},
		{"a later generation elsewhere, the recorded silent", "replica web[0] web1 g1 c1", "silent web1 x\nweb2 container web[0] g2 c2", "web[0] seen@web2 c2 last 2 adopt"},
		{"a later generation elsewhere, the recorded seen", "replica web[0] web1 g1 c1", "as recorded\nweb2 container web[0] g2 c2", "web[0] seen@web1 c1 last 2\nleft c2@web2"},
		{"an earlier generation", "replica web[0] web1 g3 c1", "web1\nweb2 container web[0] g2 c2", "web[0] gone@web1 last 3\nleft c2@web2"},
		{"an earlier generation, the recorded silent", "replica web[0] web1 g3 c1", "silent web1 x\nweb2 container web[0] g2 c2", "web[0] unknown@web1 last 3\nleft c2@web2"},
		{"two of one generation, one recorded", "replica web[0] web2 g2 c2", "as recorded\nweb1 container web[0] g2 c1", "web[0] seen@web2 c2 last 2\nleft c1@web1"},
		{"two, nothing recorded", "", "web1 container web[0] g2 c1\nweb2 container web[0] g3 c2", "web[0] seen@web2 c2 last 3 adopt\nleft c1@web1"},
		{"two alike, one runs", "", "web1 container web[0] g2 c1 exited\nweb2 container web[0] g2 c2", "web[0] seen@web2 c2 last 2 adopt\nleft c1@web1"},
		{"an intent that came to nothing", "intent run web[0] web1 g1 op", "web1", "web[0] vacant@ last 1\nintent op known"},
		{"an intent that came to something", "intent run web[0] web1 g1 op", "web1 container web[0] g1 c1 op=op", "web[0] seen@web1 c1 last 1 adopt\nintent op known c1"},
		{"files half changed", "replica web[0] web1 g1 c1\nintent write-files web[0] web1 g1 op", "as recorded", "web[0] seen@web1 c1 last 1 halfway\nintent op known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			if err := w.parseRecord(workload + c.record); err != nil {
				t.Fatal(err)
			}
			if err := w.parseObserved(c.observed); err != nil {
				t.Fatal(err)
			}
			inv := Match(&w.snap, w.view)
			got := inventoryText(&inv)
			if !strings.Contains(c.want, "intent") {
				got, _, _ = strings.Cut(got, "\nintent")
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("inventory (-want +got):\n%s", d)
			}
			if len(inv.Problems) > 0 {
				t.Errorf("problems: %v", inv.Problems)
			}
		})
	}
}

func inventoryText(v *Inventory) string {
	var lines []string
	for i := range v.Slots {
		h := &v.Slots[i]
		s := fmt.Sprintf("%s %s@%s", h.Replica.Addr().Name(), [...]string{"vacant", "seen", "gone", "unknown"}[h.Presence], h.Host)
		if h.Container != nil {
			s += " " + h.Container.ID
		}
		s += fmt.Sprintf(" last %d", h.Last)
		if h.Container != nil && !h.Recorded() {
			s += " adopt"
		}
		if h.Halfway {
			s += " halfway"
		}
		lines = append(lines, s)
	}
	for _, l := range v.Leftovers {
		lines = append(lines, fmt.Sprintf("left %s@%s", l.Container.ID, l.Host))
	}
	for _, x := range v.Intents {
		s := "intent " + string(x.Intent.Op)
		if x.Known {
			s += " known"
		}
		if x.Container != nil {
			s += " " + x.Container.ID
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}
