package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// seeds adds the fixtures to a corpus.
func seeds(f *testing.F, add func(src []byte, json bool)) {
	f.Helper()
	for _, pattern := range []string{"testdata/good/*.stow.*", "testdata/bad/*.stow.hcl"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			src, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			add(src, filepath.Ext(name) == ".json")
		}
	}
}

// The loader gives a fleet or messages for any bytes, in bounded time, and never panics.
func FuzzLoad(f *testing.F) {
	seeds(f, func(src []byte, json bool) { f.Add(src, json) })
	for _, src := range []string{
		"check \"a\" {\n assert {\n  condition = fleet.survives_any(\"z\")\n  error_message = \"${fleet.survives_any_host}\"\n }\n}\nworkload \"w\" {\n image = \"x\"\n placement { spread = [\"z\"] }\n}",
		"check \"a\" {\n dynamic \"assert\" {\n  for_each = [fleet.survives_any(1)]\n  content {}\n }\n}", "a = fleet.survives_any(", "fleet.survives_any(\"\") {}", "locals { a = b.fleet.survives_any(c) }",
		"workload \"w\" {\n image = \"x\"\n placement {\n  affinity {\n   attribute = workload.w[1.5]\n   weight = 1\n  }\n }\n}", "workload \"w\" {\n image = \"x\"\n placement {\n  constraint {\n   attribute = \"${workload.w}\"\n   operator = \"regexp\"\n   value = \"((((\"\n  }\n }\n}",
		"workload \"w\" {\n image = \"x\"\n port \"p\" { container = 1 }\n healthcheck {\n  tcp = \"p\"\n  port = \"p\"\n  interval = \"0.1s\"\n }\n update {\n  max_parallel = \"7%\"\n  max_surge = 0\n  max_unavailable = \"99 %\"\n  order = null\n  healthy_deadline = \"0\"\n  canary = null\n }\n hook \"on_failure\" { command = \"a 'b'\" }\n depends_on = [job.j, job.k[0]]\n}\njob \"j\" {\n image = \"x\"\n timeout = \"0\"\n}\njob \"k\" {\n count = 1\n image = \"x\"\n restart = null\n}",
		"workload \"w\" {\n image = \"x\"\n healthcheck { command = [\"CMD-SHELL\"] }\n update {\n  strategy = \"blue-green\"\n  min_healthy_time = null\n  healthy_deadline = \"1s\"\n }\n dynamic \"hook\" {\n  for_each = [1, null]\n  labels = [hook.value]\n  content {}\n }\n depends_on = { a = 1 }\n}",
	} {
		f.Add([]byte(src), false)
	}
	f.Add([]byte(`{"check": {"a": {"assert": {"condition": "${fleet.survives_any(\"z\")}", "error_message": "${fleet.survives_any(1)}"}}}}`), true)
	dir := filepath.Join(f.TempDir(), "shop")
	for name, text := range extras() {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			f.Fatal(err)
		}
		writeFile(f, dir, name, text)
	}
	f.Fuzz(func(t *testing.T, src []byte, json bool) {
		name, other := "x.stow.hcl", "x.stow.json"
		if json {
			name, other = other, name
		}
		os.Remove(filepath.Join(dir, other))
		writeFile(t, dir, name, string(src))
		in := testInputs(dir)
		in.Run = nil
		start := time.Now()
		c, diags := Load(t.Context(), in)
		c.meter.share = 100
		var d *Desired
		if !diags.HasErrors() {
			if len(c.blocks["secret"]) > 0 {
				return // a command of the fuzzer's would be run
			}
			d, diags = c.Evaluate(t.Context(), sealTest)
			if (d == nil) != diags.HasErrors() {
				t.Fatalf("fleet %v with messages %v", d, diags)
			}
			if d != nil {
				for _, check := range d.Checks {
					diags = append(diags, check.Eval(fleet.Survival{Labels: []string{"zone"}, Losses: []fleet.Loss{{Hosts: []fleet.HostName{"a"}}}})...)
				}
			}
		}
		if took := time.Since(start); took > 2*maxWall {
			t.Errorf("took %s", took)
		}
		for _, m := range diags {
			if m.Code == "" || m.Summary == "" {
				t.Errorf("a message lacks a part: %+v", m)
			}
			if m.Severity == diag.Error && m.Subject != nil && m.Subject.File == "" {
				t.Errorf("a message has a place without a file: %+v", m)
			}
		}
	})
}

// What the scan lets through is no deeper than the parser can bear, by the count of HCL's own tokens.
func FuzzScan(f *testing.F) {
	seeds(f, func(src []byte, _ bool) { f.Add(src, false); f.Add(src, true) })
	f.Fuzz(func(t *testing.T, src []byte, template bool) {
		if len(src) > 64<<10 {
			return
		}
		s := nativeSyntax
		if template {
			s = templateSyntax
		}
		read, err := lexed(src, "x", s, hcl.InitialPos)
		if err != nil {
			return
		}
		called := asCalls(src, read, 0)
		if len(called) != len(src) {
			t.Fatalf("%d bytes became %d", len(src), len(called))
		}
		var tokens hclsyntax.Tokens
		if template {
			tokens, _ = hclsyntax.LexTemplate(src, "x", hcl.InitialPos)
		} else {
			tokens, _ = hclsyntax.LexConfig(src, "x", hcl.InitialPos)
		}
		depth := 0
		for _, tok := range tokens {
			switch tok.Type {
			case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
				depth++
			case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
				depth = max(depth-1, 0)
			}
			if depth > maxDepth {
				t.Fatalf("depth %d at %v passed the scan", depth, tok.Range)
			}
		}
		if template {
			hclsyntax.ParseTemplate(called, "x", hcl.InitialPos)
			return
		}
		hclsyntax.ParseConfig(called, "x", hcl.InitialPos)
	})
}
