package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

var update = flag.Bool("update", false, "write the expected results of testdata/good anew")

// sealTest makes fingerprints with a fixed key.
func sealTest(s string) fleet.Fingerprint { return fleet.Seal([]byte("test"), s) }

// testInputs is an outside world that does not change from one machine to the next.
func testInputs(dir string) Inputs {
	return Inputs{Dir: dir, Environ: []string{"DB_PASSWORD=hunter2!", "STOWAGE_VAR_from_env=yes"}, Home: "/home/test", Version: "0.1.0"}
}

// inDir copies files into a fresh directory called shop.
func inDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func writeFile(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// evaluate loads and evaluates a directory.
func evaluate(t *testing.T, in Inputs) (*Desired, diag.List) {
	t.Helper()
	c, diags := Load(t.Context(), in)
	if diags.HasErrors() {
		return nil, diags
	}
	d, more := c.Evaluate(t.Context(), sealTest)
	return d, append(diags, more...)
}

// evaluateText evaluates one file.
func evaluateText(t *testing.T, text string) (*Desired, diag.List) {
	t.Helper()
	return evaluate(t, testInputs(inDir(t, map[string]string{"stowage.hcl": text})))
}

// extras are the files beside each good fixture.
func extras() map[string]string {
	return map[string]string{
		"web.env":         "# comment\nA=1\nexport B=\"two\\nlines\"\nC='$literal'\nD=${A}-x # tail\nOVER=file\nGONE=file\n",
		"app.conf.tmpl":   "%{ for i in range(n) ~}\nline ${i}\n%{ endfor ~}\n",
		"conf/a.txt":      "alpha\n",
		"conf/sub/b.txt":  "beta\n",
		"x.auto.vars.hcl": "",
	}
}

func TestGood(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.stow.*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all := extras()
			all[filepath.Base(f)] = string(src)
			dir := inDir(t, all)
			got, diags := evaluate(t, testInputs(dir))
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			b, err := json.MarshalIndent(got.Fleet, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			b = append(bytes.ReplaceAll(b, []byte(dir), []byte("$DIR")), '\n')
			want := strings.TrimSuffix(strings.TrimSuffix(f, ".hcl"), ".json") + ".golden.json"
			want = strings.Replace(want, ".stow", "", 1)
			if strings.HasSuffix(f, ".json") {
				want = strings.Replace(want, ".golden", "_json.golden", 1)
			}
			if *update {
				if err := os.WriteFile(want, b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			w, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(w), string(b)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if strings.Contains(string(b), "hunter2") {
				t.Error("the plaintext of a secret is in the fleet")
			}
		})
	}
}

// Every line of a bad fixture that holds "# ERROR: summary" must get exactly that error, and no other line any.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.stow.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			want := map[int]string{}
			for i, line := range strings.Split(string(src), "\n") {
				for _, mark := range []string{"# ERROR: ", "# WARNING: "} {
					if _, s, ok := strings.Cut(line, mark); ok {
						want[i+1] = strings.TrimSpace(s)
					}
				}
			}
			all := extras()
			all[filepath.Base(f)] = string(src)
			_, diags := evaluate(t, testInputs(inDir(t, all)))
			got := map[int]string{}
			for _, d := range diags {
				line := 0
				if d.Subject != nil {
					line = d.Subject.Start.Line
				}
				if got[line] != "" && got[line] != d.Summary {
					t.Errorf("line %d has two messages: %q and %q", line, got[line], d.Summary)
				}
				got[line] = d.Summary
				checkMessage(t, d)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("messages by line, -want +got:\n%s\nall: %v", d, diags)
			}
		})
	}
}

// checkMessage holds a message against the form that all have.
func checkMessage(t *testing.T, d diag.Diagnostic) {
	t.Helper()
	if d.Code == "" || d.Summary == "" || d.Detail == "" {
		t.Errorf("a message lacks a part: %+v", d)
	}
	if strings.HasSuffix(d.Summary, ".") {
		t.Errorf("the summary %q ends in a full stop", d.Summary)
	}
	if !strings.HasSuffix(d.Detail, ".") && !strings.HasSuffix(d.Detail, "?") && d.Code != diag.CodeSyntax {
		t.Errorf("the detail %q is not a sentence", d.Detail)
	}
	if strings.Contains(d.Error(), "hunter2") || strings.Contains(d.Remedy, "hunter2") {
		t.Errorf("the message shows a secret: %v", d)
	}
}
