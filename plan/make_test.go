package plan

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the plans into the fixtures")

// TestFixtures makes the plan of every fixture and compares it with the one that stands there.
func TestFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { fixture(t, f) })
	}
}

func fixture(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	want := -1
	for i, part := range a.Files {
		parse := map[string]func(string) error{
			"desired": w.parseDesired, "record": w.parseRecord, "observed": w.parseObserved, "options": w.parseOptions,
			"placed": w.parsePlaced,
		}[part.Name]
		if part.Name == "plan" {
			want = i
			continue
		}
		if parse == nil {
			t.Fatalf("%s: unknown part %q", file, part.Name)
		}
		if err := parse(string(part.Data)); err != nil {
			t.Fatalf("%s: %s: %v", file, part.Name, err)
		}
	}
	p, problems := w.plan(t)
	got := planText(p, problems)
	if p != nil {
		checkPlan(t, w, p)
	}
	if *update {
		if want < 0 {
			a.Files = append(a.Files, txtar.File{Name: "plan"})
			want = len(a.Files) - 1
		}
		a.Files[want].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want < 0 {
		t.Fatalf("%s has no plan; run with -update and read it", file)
	}
	if d := cmp.Diff(string(a.Files[want].Data), got); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
}

// checkPlan asserts what is true of every plan.
func checkPlan(t interface {
	Helper()
	Errorf(string, ...any)
}, w *world, p *Plan) {
	t.Helper()
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.ID != i {
			t.Errorf("step %d has the id %d", i, s.ID)
		}
		for k, n := range s.Needs {
			if n >= i || n < 0 || k > 0 && s.Needs[k-1] >= n {
				t.Errorf("step %d needs %v", i, s.Needs)
			}
		}
		if s.Kind == KindRecord {
			continue
		}
		if _, ok := w.view.Known(s.Host); !ok {
			t.Errorf("step on a host that did not answer: %s", stepLine(s))
		}
		if s.Container != nil && !ours(w, s) {
			t.Errorf("step on a container that is not ours: %s", stepLine(s))
		}
		if s.Kind == KindRun {
			if _, ok := p.Specs[s.Instance.Revision]; !ok {
				t.Errorf("no spec for %s", stepLine(s))
			}
		}
	}
	for _, c := range p.Changes {
		for _, s := range c.Steps {
			if s < 0 || s >= len(p.Steps) {
				t.Errorf("change of %s names step %d of %d", c.Addr, s, len(p.Steps))
			}
		}
	}
}

func ours(w *world, s *Step) bool {
	o, _ := w.view.Known(s.Host)
	for _, c := range o.Containers {
		if c.ID == s.Container.ID {
			return c.Identity.Fleet == testFleet
		}
	}
	return false
}
