package config

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// Values come from the environment, stowage.vars.hcl, *.auto.vars.hcl in order, and the command line in
// order: what comes later wins.
func TestVariablePrecedence(t *testing.T) {
	files := map[string]string{
		"stowage.hcl":      "variable \"v\" {\n default = \"default\"\n}\noutput \"o\" {\n value = var.v\n}\n",
		"other.hcl":        "v = \"var-file\"\n",
		"stowage.vars.hcl": "", "a.auto.vars.hcl": "", "b.auto.vars.hcl": "",
	}
	in := testInputs("")
	in.Environ = nil
	check := func(want string) {
		t.Helper()
		in.Dir = inDir(t, files)
		d, diags := evaluate(t, in)
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		if got := string(d.Fleet.Outputs[0].Value); got != `"`+want+`"` {
			t.Errorf("got %s, want %q", got, want)
		}
		if got := string(d.Variables["v"].JSON); got != `"`+want+`"` {
			t.Errorf("Variables: got %s, want %q", got, want)
		}
	}
	check("default")
	in.Environ = []string{"STOWAGE_VAR_v=environment", "STOWAGE_VAR_undeclared=x"}
	check("environment")
	files["stowage.vars.hcl"] = "v = \"vars\"\n"
	check("vars")
	files["a.auto.vars.hcl"] = "v = \"a\"\n"
	check("a")
	files["b.auto.vars.hcl"] = "v = \"b\"\n"
	check("b")
	in.Vars = []VarInput{{Assign: "v=flag"}, {File: "other.hcl"}}
	check("var-file")
	in.Vars = []VarInput{{File: "other.hcl"}, {Assign: "v=flag"}}
	check("flag")
	in.Vars = append(in.Vars, VarInput{Name: "v", JSON: []byte(`"saved"`)})
	check("saved")
}

func TestVariableValues(t *testing.T) {
	dir := inDir(t, map[string]string{"stowage.hcl": `
variable "list" { type = list(number) }
variable "text" { type = string }
variable "any" {}
variable "asked" { description = "who" }
variable "strict" {
  type     = string
  nullable = false
  default  = "d"
}
output "o" { value = [var.list, var.text, var.any, var.asked, var.strict] }
`, "x.auto.vars.hcl": "strict = null\nunknown_name = 1\n"})
	in := testInputs(dir)
	in.Vars = []VarInput{{Assign: `list=[1, "2"]`}, {Assign: "text=[1]"}, {Assign: "any=a=b"}}
	in.Ask = func(v Variable) (string, bool) { return v.Name + "/" + v.Description, true }
	d, diags := evaluate(t, in)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if got, want := string(d.Fleet.Outputs[0].Value), `[[1,2],"[1]","a=b","asked/who","d"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(diags) != 1 || diags[0].Severity != diag.Warning || diags[0].Summary != "Variable not declared" {
		t.Errorf("got %v, want one warning", diags)
	}
	for assign, code := range map[string]diag.Code{"nope=1": diag.CodeVariable, "list": diag.CodeVariable, "list=[": diag.CodeVariable, "list=" + strings.Repeat("[", 200): diag.CodeTooDeep, "list=f()": diag.CodeVariable} {
		in.Vars = []VarInput{{Assign: assign}}
		if _, diags := Load(t.Context(), in); !diags.HasErrors() || diags[len(diags)-1].Code != code {
			t.Errorf("-var %.20q: got %v, want %s", assign, diags, code)
		}
	}
}

// The digest is equal exactly when the input is.
func TestDigest(t *testing.T) {
	base := map[string]string{
		"stowage.hcl": `
variable "v" { default = 1 }
variable "s" {
  sensitive = true
  default   = "hunter2!"
}
secret "db" { env = "DB_PASSWORD" }
workload "web" {
  image    = "x"
  env      = { A = file("a.txt"), B = secret.db.value, C = join(",", fileset("d", "*")), D = fileexists("e") }
  env_file = ["web.env"]
}
`, "a.txt": "a", "web.env": "X=1", "d/one": "", "unrelated.txt": "",
	}
	digest := func(edit func(files map[string]string, in *Inputs)) string {
		t.Helper()
		files, in := map[string]string{}, testInputs("")
		for k, v := range base {
			files[k] = v
		}
		edit(files, &in)
		in.Dir = inDir(t, files)
		d, diags := evaluate(t, in)
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		return d.Digest
	}
	same := func(map[string]string, *Inputs) {}
	want := digest(same)
	if got := digest(same); got != want {
		t.Errorf("equal input in another directory: %s and %s", got, want)
	}
	if got := digest(func(f map[string]string, _ *Inputs) { f["unrelated.txt"] = "changed" }); got != want {
		t.Error("a file that is not read changes the digest")
	}
	seen := map[string]string{want: "nothing"}
	for name, edit := range map[string]func(f map[string]string, in *Inputs){
		"file()":     func(f map[string]string, _ *Inputs) { f["a.txt"] = "b" },
		"env_file":   func(f map[string]string, _ *Inputs) { f["web.env"] = "X=1 # other" },
		"fileset":    func(f map[string]string, _ *Inputs) { f["d/two"] = "" },
		"fileexists": func(f map[string]string, _ *Inputs) { f["e"] = "" },
		"comment":    func(f map[string]string, _ *Inputs) { f["stowage.hcl"] += "# comment\n" },
		"new file":   func(f map[string]string, _ *Inputs) { f["more.stow.hcl"] = "" },
		"variable":   func(_ map[string]string, in *Inputs) { in.Vars = []VarInput{{Assign: "v=2"}} },
		"sensitive":  func(_ map[string]string, in *Inputs) { in.Vars = []VarInput{{Assign: "s=other"}} },
		"secret":     func(_ map[string]string, in *Inputs) { in.Environ = []string{"DB_PASSWORD=other"} },
	} {
		got := digest(edit)
		if first, ok := seen[got]; ok {
			t.Errorf("a change of %s gives the digest of a change of %s", name, first)
		}
		seen[got] = name
	}
}

func TestDigestIsTheSameTwice(t *testing.T) {
	c, diags := Load(t.Context(), testInputs(inDir(t, map[string]string{"stowage.hcl": "output \"o\" {\n value = fileexists(\"x\")\n}\n"})))
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	var wg sync.WaitGroup
	digests := make([]string, 4)
	for i := range digests {
		wg.Go(func() {
			d, _ := c.Evaluate(t.Context(), sealTest)
			digests[i] = d.Digest
		})
	}
	wg.Wait()
	if len(slices.Compact(digests)) != 1 {
		t.Errorf("digests differ: %q", digests)
	}
}

func TestSecretSources(t *testing.T) {
	dir := inDir(t, map[string]string{"stowage.hcl": `
secret "e" { env = "DB_PASSWORD" }
secret "f" { file = "pw" }
secret "c" {
  for_each = { x = "1" }
  command  = ["echo", "from ${each.value}; $HOME"]
}
secret "unused" { command = ["never"] }
workload "w" {
  image = "x"
  env   = { E = secret.e.value, F = secret.f.value, C = secret.c["x"].value }
}
output "o" {
  value     = secret.e.value
  sensitive = true
}
`, "pw": "from file\n"})
	in := testInputs(dir)
	var ran [][]string
	in.Run = func(_ context.Context, argv []string) (string, error) {
		ran = append(ran, argv)
		return "printed\n", nil
	}
	d, diags := evaluate(t, in)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if diff := cmp.Diff([][]string{{"echo", "from 1; $HOME"}}, ran); diff != "" {
		t.Errorf("commands, -want +got:\n%s", diff)
	}
	got := map[string]string{}
	for k, text := range d.Fleet.Workloads[0].Spec.Env {
		if !text.Secret() {
			t.Errorf("%s is not sealed", k)
		}
		got[k], _ = d.Vault.Open(text)
	}
	if diff := cmp.Diff(map[string]string{"E": "hunter2!", "F": "from file", "C": "printed"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if o := d.Fleet.Outputs[0]; o.Value != nil || string(d.Revealed["o"]) != `"hunter2!"` {
		t.Errorf("output %+v, revealed %s", o, d.Revealed["o"])
	}
	in.Run = nil
	if d, diags = evaluate(t, in); diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if s, _ := d.Vault.Open(d.Fleet.Workloads[0].Spec.Env["C"]); s != "from 1; $HOME" {
		t.Errorf("a command's output is %q: no shell must see it", s)
	}
}

// A value that a library puts into its error must not reach the message.
func TestMessagesHideSecrets(t *testing.T) {
	for _, expr := range []string{"parseint(secret.a.value, 10)", "tonumber(secret.a.value)", "base64decode(secret.a.value)", "file(secret.a.value)", `cidrhost(secret.a.value, 1)`,
		"secret.a.value + 1", "[1, 2][secret.a.value]", "jsondecode(secret.a.value)", `regex("^x", secret.a.value)`, `lookup({}, secret.a.value)`, "tomap({ a = secret.a.value, b = [] })", `templatestring("$${parseint(v, 10)}", { v = secret.a.value })`,
		"{ for x in [1, 2] : secret.a.value => x }", "{}[secret.a.value]", `formatdate(secret.a.value, "2026-01-02T15:04:05Z")`, "try(parseint(secret.a.value, 10))"} {
		_, diags := evaluateText(t, "secret \"a\" {\n env = \"DB_PASSWORD\"\n}\nlocals {\n x = "+expr+"\n}\n")
		if !diags.HasErrors() {
			t.Errorf("%s: no error", expr)
		}
		for _, d := range diags {
			if strings.Contains(fmt.Sprintf("%+v", d), "hunter2") {
				t.Errorf("%s: %+v", expr, d)
			}
		}
	}
}

func TestUnknownOutput(t *testing.T) {
	d, diags := evaluateText(t, `
workload "web" {
  image = "x"
  port "http" {
    container = 80
    host      = "auto"
  }
}
output "port" { value = "http://x:${workload.web.ports.http.host}" }
`)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if diff := cmp.Diff([]fleet.Output{{Name: "port", Unknown: true}}, d.Fleet.Outputs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFilesStayInside(t *testing.T) {
	files := map[string]string{"stowage.hcl": "output \"o\" {\n value = file(\"link\")\n}\n"}
	dir := inDir(t, files)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	writeFile(t, filepath.Dir(dir), "outside", "secret of another")
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	_, diags := evaluate(t, testInputs(dir))
	if !diags.HasErrors() || strings.Contains(fmt.Sprint(diags), "secret of another") {
		t.Errorf("got %v", diags)
	}
}

func TestNoConfig(t *testing.T) {
	for name, files := range map[string]map[string]string{"empty": {"readme": ""}, "other tools": {"main.hcl": "x", "packer.pkr.hcl": "x"}} {
		c, diags := Load(t.Context(), testInputs(inDir(t, files)))
		if len(diags) != 1 || diags[0].Code != diag.CodeNoConfig || diags[0].Remedy != "stowage init" {
			t.Errorf("%s: %v", name, diags)
		}
		if c == nil || len(c.Sources()) != 0 {
			t.Errorf("%s: sources", name)
		}
	}
	if _, diags := Load(t.Context(), testInputs("/nonexistent")); len(diags) != 1 || diags[0].Code != diag.CodeNoConfig {
		t.Errorf("%v", diags)
	}
}

func TestSettings(t *testing.T) {
	dir := inDir(t, map[string]string{"stowage.hcl": "variable \"e\" {\n default = \"prod\"\n}\nlocals {\n n = upper(\"x-${var.e}\")\n}\nstowage {\n fleet = lower(local.n)\n deletion_budget = \"50%\"\n state \"local\" {\n  path = \"st\"\n }\n}\n"})
	c, diags := Load(t.Context(), testInputs(dir))
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if diff := cmp.Diff(Settings{Fleet: "x-prod", StatePath: filepath.Join(dir, "st"), DeletionBudget: 50}, c.Settings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	dir = inDir(t, map[string]string{"x.stow.hcl": ""})
	c, _ = Load(t.Context(), testInputs(dir))
	if diff := cmp.Diff(Settings{Fleet: "shop", StatePath: filepath.Join(dir, ".stowage"), DeletionBudget: 30}, c.Settings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFormat(t *testing.T) {
	got, diags := Format([]byte("workload \"a\" {\nimage=\"x\"\n  replicas   = 2\n}\n"), "x")
	want := "workload \"a\" {\n  image    = \"x\"\n  replicas = 2\n}\n"
	if string(got) != want || diags.HasErrors() {
		t.Errorf("got %q, %v", got, diags)
	}
	if again, _ := Format(got, "x"); string(again) != want {
		t.Errorf("not stable: %q", again)
	}
	for _, bad := range []string{"a {", strings.Repeat("[", 1000)} {
		if got, diags := Format([]byte(bad), "x"); got != nil || !diags.HasErrors() {
			t.Errorf("Format(%.10q) = %q", bad, got)
		}
	}
}

// What means the same makes the same spec, so that no plan shows a change that is none.
func TestEqualMeaningsAreEqual(t *testing.T) {
	spec := func(body string) string {
		t.Helper()
		d, diags := evaluateText(t, "network \"a\" {}\nnetwork \"b\" {}\nworkload \"w\" {\n"+body+"\n}\n")
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		b, err := json.Marshal(d.Fleet.Workloads[0])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, pair := range [][2]string{
		{`image = "nginx"`, `image = "nginx:latest"`},
		{"image = \"x\"\ncap_add = [\"CAP_NET_ADMIN\", \"sys_time\"]", "image = \"x\"\ncap_add = [\"SYS_TIME\", \"NET_ADMIN\", \"net_admin\"]"},
		{"image = \"x\"\nnetworks = [network.a, network.b]", "image = \"x\"\nnetworks = [network.b, network.a]"},
		{"image = \"x\"\nrestart = \"unless-stopped\"\nstop_timeout = \"30s\"\npull_policy = \"missing\"\nreplicas = 1\nmode = \"replicated\"\nnetwork_mode = \"bridge\"\nread_only = false", `image = "x"`},
		{"image = \"x\"\ncommand = \"a 'b c'\"", "image = \"x\"\ncommand = [\"a\", \"b c\"]"},
		{"image = \"x\"\nenv = { A = 1, B = null }", "image = \"x\"\nenv = { A = \"1\" }"},
		{"image = \"x\"\nstop_signal = \"term\"\nworking_dir = \"/a/\"", "image = \"x\"\nstop_signal = \"15\"\nworking_dir = \"/a\""},
		{"image = \"x\"\nresources {\n memory = \"1g\"\n}", "image = \"x\"\nresources {\n memory = \"1024MiB\"\n memory_max = \"1GiB\"\n}"},
		{"image = \"x\"\nulimits = { nofile = 5 }\nlabels = {}\ndns = []", "image = \"x\"\nulimits = { nofile = \"5:5\" }"},
	} {
		if a, b := spec(pair[0]), spec(pair[1]); a != b {
			t.Errorf("%s\nand\n%s\ndiffer: %s", pair[0], pair[1], cmp.Diff(a, b))
		}
	}
}

// Every argument of the grammar is read: one that is not would be ignored in silence.
func TestEveryArgumentIsRead(t *testing.T) {
	var srcs strings.Builder
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && f != "grammar.go" && f != "advice.go" && !strings.HasSuffix(f, "_test.go") {
			srcs.Write(b)
		}
	}
	etcd := words("endpoints prefix ca_file cert_file key_file username password_env") // refused with state "etcd" as a whole
	var walk func(g *grammar, path string)
	walk = func(g *grammar, path string) {
		for _, a := range g.args {
			if !strings.Contains(srcs.String(), `"`+a+`"`) && !slices.Contains(etcd, a) {
				t.Errorf("%s.%s is in the grammar and nowhere read", path, a)
			}
		}
		for k, b := range g.blocks {
			walk(b, path+"."+k)
		}
	}
	walk(fileGrammar(), "")
}

func TestMessages(t *testing.T) {
	for src, want := range map[string]string{
		"workload \"w\" {\n image = \"x\"\n cmd = []\n}":                                      "cmd is not an argument here; did you mean command?",
		"workload \"w\" {\n image = \"x\"\n memory = \"1g\"\n}":                               "memory is not an argument of its own here: it belongs in resources {}.",
		"workload \"w\" {\n image = \"x\"\n replcas = 1\n}":                                   "replcas is not an argument here; did you mean replicas?",
		"host \"h\" {\n ssh {\n  address = \"x\"\n }\n}":                                      "address is not an argument in an ssh block: it belongs one level up, beside this block.",
		"locals {\n a = local.b\n b = local.c\n c = local.a\n}":                               "local.a -> local.b -> local.c -> local.a. Each needs the next one's value first, so none can be worked out.",
		"workload \"w\" {\n image = \"x\"\n stop_timeout = 10\n}":                             "stop_timeout is a time and needs a unit; a bare 10 could be seconds or milliseconds.",
		"workload \"w\" {\n image = \"x\"\n shm_size = \"1GB\"\n}":                            "\"1GB\" is a decimal unit, which tools take for different amounts; sizes are binary here.",
		"workload \"web\" {\n image = \"x\"\n networks = [network.ap]\n}\nnetwork \"app\" {}": "There is no network named \"ap\". Did you mean network.app?",
		"locals {\n a = { for h in host.a : h.nme => 1 }\n}\nhost \"a\" {\n count = 1\n}":     "This object does not have an attribute named \"nme\".",
	} {
		_, diags := evaluateText(t, src)
		if len(diags) != 1 || diags[0].Detail != want {
			t.Errorf("%s\ngot  %v\nwant %s", src, diags, want)
		}
	}
}
