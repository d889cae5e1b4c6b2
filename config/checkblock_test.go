package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

const checkedFleet = `
variable "password" {
  sensitive = true
  default   = "hunter2!"
}
host "a" { labels = { zone = "z1" } }
workload "web" {
  image = "x"
  placement { spread = ["zone"] }
}
`

// evaluateChecks runs the checks of a configuration against a survival, and returns what they say.
func evaluateChecks(t *testing.T, text string, s fleet.Survival) string {
	t.Helper()
	d, diags := evaluateText(t, checkedFleet+text)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	for _, c := range d.Checks {
		diags = append(diags, c.Eval(s)...)
	}
	var lines []string
	for _, m := range diags {
		checkMessage(t, m)
		lines = append(lines, m.In+": "+m.Summary+": "+m.Detail)
	}
	return strings.Join(lines, "\n")
}

func assertion(condition, message string) string {
	return "check \"c\" {\n  assert {\n    condition     = " + condition + "\n    error_message = \"" + message + "\"\n  }\n}\n"
}

// shaky survives the loss of neither host a nor zone z2.
func shaky() fleet.Survival {
	return fleet.Survival{Hosts: 3, Labels: []string{"rack", "zone"}, Losses: []fleet.Loss{
		{Hosts: []fleet.HostName{"a"}, Down: []fleet.WorkloadName{"cache", "db"}},
		{Hosts: []fleet.HostName{"b"}, Refused: []fleet.Refusal{
			{Workload: "web", Slots: []fleet.Slot{0, 2}, Filters: []fleet.FilterCount{{Hosts: 2, Filter: "drained", Detail: "c, d"}, {Hosts: 0, Filter: "cordoned"}, {Hosts: 1, Filter: "short of memory", Detail: "e has 1MiB free"}}},
			{Workload: "low", Slots: []fleet.Slot{0}, Outranked: true},
		}},
		{Label: "zone", Value: "z2", Hosts: []fleet.HostName{"b", "c"}, Down: []fleet.WorkloadName{"web"}},
	}}
}

func TestCheckEval(t *testing.T) {
	const (
		failed = `check "c": A check does not hold: `
		a      = "Without host.a: workload.cache, workload.db would have no healthy replica left."
		b      = "Without host.b: 2 replicas of workload.web would have no place (2 hosts drained: c, d; 1 host short of memory: e has 1MiB free); 1 replica of workload.low would have no place beside those of higher priority."
		z      = `Without all with zone = "z2" (b, c): workload.web would have no healthy replica left.`
	)
	fine := fleet.Survival{Hosts: 3, Labels: []string{"zone"}}
	for _, c := range []struct {
		name, condition, message string
		survival                 fleet.Survival
		want                     string
	}{
		{"holds", "fleet.survives_any_host", "no", fine, ""},
		{"label holds", `fleet.survives_any("zone")`, "no", fine, ""},
		{"host", "fleet.survives_any_host", "hosts matter", shaky(), failed + "hosts matter.\n" + a + "\n" + b},
		{"label", `fleet.survives_any("zone")`, "Zones matter.", shaky(), failed + "Zones matter.\n" + z},
		{"other label", `fleet.survives_any("rack")`, "no", shaky(), ""},
		{"both", `fleet.survives_any("zone") && fleet.survives_any_host`, "Both.", shaky(), failed + "Both.\n" + a + "\n" + b + "\n" + z},
		{"either holds", `fleet.survives_any("rack") || fleet.survives_any_host`, "no", shaky(), ""},
		{"not", `!fleet.survives_any_host`, "It is too good.", fine, failed + "It is too good."},
		{"spaces", `fleet.survives_any ( "zone" )`, "Zones.", shaky(), failed + "Zones.\n" + z},
		{"in a template", `"${fleet.survives_any("zone")}" == "true"`, "Zones.", shaky(), failed + "Zones.\n" + z},
		{"in a for", `alltrue([for l in ["rack", "zone"] : fleet.survives_any(l)])`, "Each.", shaky(), failed + "Each.\n" + z},
		{"in the message", "fleet.survives_any_host", `zone: ${fleet.survives_any("zone") ? "up" : "down"}`, shaky(), failed + "zone: down.\n" + a + "\n" + b},
		{"message", "fleet.survives_any_host", "${fleet.name} has ${workload.web.replicas}: ${fleet.survives_any_host}", shaky(), failed + "shop has 1: false.\n" + a + "\n" + b},
		{"known", `workload.web.replicas > 1 || length(var.password) > 20`, "More.", fine, failed + "More."},
		{"secret", `var.password == "x" || fleet.survives_any_host`, "The one.", shaky(), failed + "The one.\n" + a + "\n" + b},
		{"label gone", `fleet.survives_any("zone")`, "no", fleet.Survival{Hosts: 1}, `check "c": Unknown label: No workload is spread over any label, "zone" included, so no loss of a label's value is tried. Of single hosts fleet.survives_any_host tells.`},
		{"text alone", `"fleet.survives_any(\"x\")" == "fleet.survives_any(\"x\")"`, "no", fine, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Some ask about "rack", so another workload is spread over it.
			more := "workload \"r\" {\n  image = \"x\"\n  placement { spread = [\"rack\"] }\n}\nhost \"b\" { labels = { rack = \"1\" } }\n"
			if d := cmp.Diff(c.want, evaluateChecks(t, more+assertion(c.condition, c.message), c.survival)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestCheckTellsAFewLosses(t *testing.T) {
	s := fleet.Survival{Hosts: 5}
	for _, h := range []fleet.HostName{"a", "b", "c", "d", "e"} {
		s.Losses = append(s.Losses, fleet.Loss{Hosts: []fleet.HostName{h}, Down: []fleet.WorkloadName{"web"}})
	}
	got := evaluateChecks(t, assertion("fleet.survives_any_host", "x"), s)
	if strings.Count(got, "Without host.") != mostLosses || !strings.HasSuffix(got, "So it is with 2 more.") {
		t.Errorf("got %s", got)
	}
}

// A call becomes a function by one changed byte, so that places are right behind it too, and the source itself stays.
func TestCallsKeepPlaces(t *testing.T) {
	text := checkedFleet + "check \"c\" {\n  assert {\n    condition     = fleet.survives_any(\"zone\") || nothing.here\n    error_message = \"fleet.survives_any(1) ${1} # fleet.survives_any(2)\" // fleet.survives_any(3)\n  }\n}\n"
	c, diags := Load(t.Context(), testInputs(inDir(t, map[string]string{"stowage.hcl": text})))
	if len(diags) != 1 || diags[0].Subject == nil {
		t.Fatalf("got %v", diags)
	}
	src := c.Sources()["stowage.hcl"]
	if d := cmp.Diff(text, string(src)); d != "" {
		t.Errorf("the source was changed: %s", d)
	}
	if at := diags[0].Subject; string(src[at.Start.Byte:at.End.Byte]) != "nothing.here" {
		t.Errorf("the message is about %q", src[at.Start.Byte:at.End.Byte])
	}
}

func TestFormatKeepsCalls(t *testing.T) {
	const want = "check \"c\" {\n  assert {\n    condition     = !fleet.survives_any(\"zone\") || fleet.survives_any_host\n    error_message = \"${fleet.survives_any(\"zone\")}\"\n  }\n}\n"
	got, diags := Format([]byte(strings.ReplaceAll(strings.ReplaceAll(want, "condition     =", "condition="), "  assert", "assert")), "x.hcl")
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestChecksInJSON(t *testing.T) {
	dir := inDir(t, map[string]string{"x.stow.json": `{
  "workload": { "web": { "image": "x", "placement": { "spread": ["zone"] } } },
  "check": { "c": { "assert": [
    { "condition": "${fleet.survives_any(\"zone\")}", "error_message": "zone" },
    { "condition": "${fleet.survives_any_host}", "error_message": "${\"host\"}" }
  ] } }
}`})
	d, diags := evaluate(t, testInputs(dir))
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	var got []string
	for _, m := range d.Checks[0].Eval(shaky()) {
		first, _, _ := strings.Cut(m.Detail, "\n")
		got = append(got, first)
	}
	if diff := cmp.Diff([]string{"zone.", "host."}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A check is evaluated within the budget, and the next one has its whole budget again.
func TestCheckBudget(t *testing.T) {
	const loop = `length([for a in range(1000) : length(format("%500000s", "x"))]) > 0 || fleet.survives_any_host`
	if _, diags := evaluateText(t, checkedFleet+assertion(loop, "x")); len(diags) != 1 || diags[0].Code != diag.CodeBudget {
		t.Errorf("got %v, want an exhausted budget", diags)
	}
	d, diags := evaluateText(t, checkedFleet+assertion(strings.ReplaceAll(loop, "range(1000)", "range(20)"), "x"))
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	for range 15 {
		if got := d.Checks[0].Eval(fleet.Survival{}); len(got) > 0 {
			t.Fatalf("got %v", got)
		}
	}
}
