package plan

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
)

// everything is a plan with one of each thing that is shown.
func everything() *Plan {
	old := fleet.Spec{Image: fleet.Image{Ref: "web:1", ID: "sha256:1111111111111111"}, Restart: fleet.RestartAlways,
		Env: map[string]fleet.Text{"PORT": {Plain: "80"}, "PASSWORD": {Sealed: "hmac-sha256:aa"}}}
	now := old
	now.Image = fleet.Image{Ref: "web:2", ID: "sha256:2222222222222222"}
	now.Ports = []fleet.Port{{Name: "http", Container: 80, Policy: fleet.PortAuto, Protocol: "tcp"}}
	text := func(s string) *string { return &s }
	p := &Plan{Format: Format, ID: "p", Tool: "0.1.0", Name: "shop", Mode: Normal, Created: time.Unix(0, 0).UTC(),
		Specs: map[fleet.Revision]fleet.Spec{old.Digest(): old, now.Digest(): now}}
	replace := []Difference{
		{Path: "image", Before: text("web:1"), After: text("web:2"), Replaces: true},
		{Path: "image_pin", Before: text("sha256:1111111111111111"), After: text("sha256:2222222222222222"), Replaces: true},
		{Path: "env.PASSWORD", Before: text(""), After: text(""), Sensitive: true, Replaces: true},
		{Path: "port.http.container", After: text("80"), Replaces: true},
	}
	p.Changes = []Change{
		{Addr: "network.app", Action: Create, Reason: "needed by workload.web", Host: "h1"},
		{Addr: "workload.web[0]", Action: Replace, Reason: "image changed", Host: "h1", Before: old.Digest(), After: now.Digest(), Diff: replace},
		{Addr: "workload.web[1]", Action: Replace, Reason: "image changed", Host: "h2", Before: old.Digest(), After: now.Digest(), Diff: replace},
		{Addr: "workload.web[2]", Action: Replace, Reason: "image changed", Host: "h1", Before: old.Digest(), After: now.Digest(), Diff: replace},
		{Addr: "workload.web[3]", Action: Move, Reason: "host h3 is drained", From: "h3", Host: "h2", Before: old.Digest(), After: old.Digest()},
		{Addr: "workload.web[4]", Action: Create, Reason: "new", Host: "h2", After: now.Digest(), Ports: map[string]uint16{"http": 20000}},
		{Addr: "workload.web[5]", Action: Delete, Reason: "replicas lowered from 6 to 5", Host: "h1", Before: old.Digest()},
	}
	p.Steps = []Step{{}}
	p.Drift = []Drift{{Addr: "workload.web[4]", Host: "h2", What: "removed", Will: "be made again"}}
	p.Rollouts = []Rollout{{Workload: "web", Text: "3 replaced one at a time"}}
	p.Loads = []fleet.Load{{Host: "h1", Capacity: fleet.Resources{CPU: 2000, Memory: 2 * fleet.GiB}, Before: fleet.Resources{Memory: 512 * fleet.MiB}, After: fleet.Resources{CPU: 500, Memory: fleet.GiB}, Replicas: 3}}
	p.Exposed = []Exposure{{Addr: "workload.web[4]", Host: "h2", Bind: "0.0.0.0", Port: 20000, Protocol: "tcp"}}
	p.Skipped = []Skipped{{Host: "h4", Why: "no route to host", Owed: []string{"remove workload.web[9]"}}}
	p.Outputs = []OutputChange{{Name: "token", Action: Update, Before: json.RawMessage(`"a"`), After: json.RawMessage(`"b"`), Sensitive: true}, {Name: "url", Action: Create, Unknown: true}}
	return p
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

func TestText(t *testing.T) { golden(t, "testdata/text.golden", everything().Text(Style{})) }

func TestTextOfNothing(t *testing.T) {
	for mode, want := range map[Mode]string{
		Normal:      "No changes. The fleet matches the configuration.\n",
		Destroy:     "No changes. Nothing of this fleet is left to destroy.\n",
		RefreshOnly: "No changes. The record says what the hosts say.\n",
	} {
		if got := (&Plan{Mode: mode}).Text(Style{}); got != want {
			t.Errorf("%s: got %q, want %q", mode, got, want)
		}
	}
	silent := &Plan{Mode: Normal, Skipped: []Skipped{{Host: "h4", Why: "no route to host"}}}
	want := "Unknown: h4 could not be asked: no route to host\n\nNo changes on the hosts that could be asked. What is on h4 is not known.\n"
	if got := silent.Text(Style{}); got != want {
		t.Errorf("a silent host: got %q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	b, err := everything().JSON()
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	pretty, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/plan.json.golden", string(pretty)+"\n")
}
