package config

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stowage-run/stowage/diag"
)

// bombs are small configurations that ask for more time, memory or stack than there is.
func bombs() map[string]string {
	rep := strings.Repeat
	local := func(e string) string { return "locals {\n  a = " + e + "\n}\n" }
	doubling := "locals {\n  a0 = \"xxxxxxxxxx\"\n"
	lists := "locals {\n  a0 = [1, 2]\n"
	squares := "locals {\n  a0 = 1e300\n"
	for i := range 40 {
		doubling += fmt.Sprintf("  a%d = \"${local.a%d}${local.a%d}\"\n", i+1, i, i)
		lists += fmt.Sprintf("  a%d = concat(local.a%d, local.a%d)\n", i+1, i, i)
		squares += fmt.Sprintf("  a%d = local.a%d * local.a%d\n", i+1, i, i)
	}
	nested := "locals {\n  a0 = 1\n"
	for i := range 20 {
		nested += fmt.Sprintf("  a%d = [%s]\n", i+1, rep(fmt.Sprintf("local.a%d, ", i), 10))
	}
	mb := "  mb = join(\"\", [for i in range(1000) : \"" + rep("x", 1000) + "\"])\n"
	return map[string]string{
		"parentheses":    local(rep("(", 500_000)),
		"brackets":       local(rep("[", 500_000)),
		"braces":         local(rep("{", 500_000)),
		"objects":        local(rep("{a=", 300_000)),
		"bodies":         rep("a {\n", 250_000),
		"negations":      local(rep("!", 500_000) + "true"),
		"minuses":        local(rep("-", 500_000) + "1"),
		"spaced minuses": local(rep("- ", 400_000) + "1"),
		"interpolations": local(rep(`"${`, 300_000)),
		"directives":     local(`"` + rep(`%{if true}`, 90_000) + `"`),
		"hidden ends":    local(`"` + rep(`%{if true}${"%{endif}"}`, 30_000) + `"`),
		"heredocs":       local(rep("<<A\n${", 100_000)),
		"attributes":     local("a" + rep(".b", 400_000)),
		"indexes":        local("a" + rep("[0]", 300_000)),
		"splats":         local("a" + rep("[*]", 300_000)),
		"ternaries":      local(rep("true ? 1 : ", 60_000) + "1"),
		"ternary lines":  local("(" + rep("true\n?\n1\n:\n", 40_000) + "1)"),
		"sums":           local("1" + rep("+1", 90_000)),
		"sum lines":      local("(1" + rep("+\n1", 60_000) + ")"),
		"for sum lines":  local("{for k in [1] : k => 1" + rep("+\n1", 60_000) + "}"),
		"calls":          local(rep("abs(", 200_000)),
		"tokens":         local("[" + rep("1,", 500_000) + "]"),
		"identifier":     local(rep("a", 1_000_000)),
		"exponent":       local("1e999999999"),
		"modulo":         local("1e400 % 3 + 1e401"),
		"tonumber":       local(`tonumber("1e999999999")`),
		"number text":    local(`"${jsondecode("1e999999999")}"`),
		"for for":        local("[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]"),
		"for nest":       local("[for a in [1] : [for b in [1] : [for c in [1] : [for d in [1] : [for e in [1] : e]]]]]"),
		"for strings":    "locals {\n" + mb + "  a = [for i in range(1000) : \"${local.mb}${i}\"]\n}",
		"template join":  "locals {\n" + mb + "  a = \"%{for i in range(1000)}${local.mb}%{endfor}\"\n}",
		"parts":          "locals {\n" + mb + "  a = \"" + rep("${local.mb}", 10_000) + "\"\n}",
		"join":           "locals {\n" + mb + "  a = join(local.mb, range(1000))\n}",
		"replace":        "locals {\n" + mb + "  a = replace(local.mb, \"x\", local.mb)\n}",
		"replace regex":  "locals {\n" + mb + "  a = replace(local.mb, \"/x*/\", \"$0$0$0$0$0$0\")\n}",
		"format width":   local(`format("%999999999d", 1)`),
		"format args":    "locals {\n" + mb + "  a = format(\"" + rep("%[1]s", 5000) + "\", local.mb)\n}",
		"indent":         "locals {\n" + mb + "  a = indent(100000, replace(local.mb, \"x\", \"\\n\"))\n}",
		"setproduct":     local("setproduct(range(1000), range(1000), range(1000))"),
		"regexall":       "locals {\n" + mb + "  a = regexall(\"\", local.mb)\n}",
		"split":          "locals {\n" + mb + "  a = split(\"\", local.mb)\n}",
		"jsondecode":     local(`jsondecode(join("", [for i in range(1000) : "` + rep("[", 1000) + `"]))`),
		"csv":            local(`csvdecode(join("", [for i in range(1000) : "` + rep(",", 1000) + `"]))`),
		"flatten":        "locals {\n  big = flatten([for i in range(10) : range(1000)])\n  a = flatten([for i in range(1000) : [for j in range(100) : local.big]])\n}",
		"distinct":       "locals {\n  big = flatten([for i in range(10) : [for j in range(1000) : i * 1000 + j]])\n  a = [for i in range(1000) : length(distinct(local.big))]\n}",
		"hashes":         "locals {\n" + mb + "  a = [for i in range(1000) : [for j in range(100) : sha512(local.mb)]]\n}",
		"toset":          "locals {\n  big = flatten([for i in range(10) : [for j in range(1000) : i * 1000 + j]])\n  a = [for i in range(1000) : length(toset(local.big))]\n}",
		"regex":          local(`regex("` + rep("(x{1000}){1000}", 20) + `", "x")`),
		"templatestring": "locals {\n" + mb + "  a = [for i in range(1000) : templatestring(local.mb, {})]\n}",
		"doubling":       doubling + "}",
		"lists":          lists + "}",
		"squares":        squares + "  s = \"${local.a30}\"\n}",
		"nested lists":   nested + "  s = jsonencode(local.a20)\n}",
		"count":          "host \"a\" {\n  count = 1000000\n}\n",
		"hosts":          "host \"a\" {\n  count = 5001\n}\n",
		"replicas":       "workload \"a\" {\n  image = \"x\"\n  replicas = 1000000\n}\n",
		"all replicas":   "workload \"a\" {\n  count = 101\n  image = \"x\"\n  replicas = 10000\n}\n",
		"dynamic":        "workload \"a\" {\n  image = \"x\"\n  count = 10000\n  dynamic \"port\" {\n    for_each = range(1000)\n    labels = [\"p${port.value}\"]\n    content {\n      container = 80\n    }\n  }\n}\n",
	}
}

func TestBombs(t *testing.T) {
	// Those that are cheap enough to be evaluated rightly need no refusal.
	harmless := map[string]bool{"number text": true} // too large a number in JSON is read as infinite
	for name, src := range bombs() {
		t.Run(name, func(t *testing.T) {
			dir := inDir(t, map[string]string{"stowage.hcl": src})
			runtime.GC()
			stop := watchHeap()
			start := cpuTime(t)
			_, diags := evaluate(t, testInputs(dir))
			took, peak := cpuTime(t)-start, stop()
			if len(diags) > 1 {
				t.Errorf("%d messages", len(diags))
			}
			if !diags.HasErrors() && !harmless[name] {
				t.Error("no error")
			}
			for _, d := range diags {
				switch d.Code {
				case diag.CodeBudget, diag.CodeTooDeep, diag.CodeSyntax, diag.CodeEvaluate, diag.CodeValue, diag.CodeReference, diag.CodeUnknownArgument:
				default:
					t.Errorf("message %v", d)
				}
			}
			if took > 2*time.Second {
				t.Errorf("took %s", took)
			}
			if peak > 256<<20 {
				t.Errorf("took %d MB", peak>>20)
			}
			t.Logf("%s, %d MB, %d messages: %.200v", took, peak>>20, len(diags), diags)
		})
	}
}

// cpuTime is what this process has used: a busy machine stretches every other measure.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchHeap samples the heap until the returned function is called, which returns the largest size seen.
func watchHeap() (stop func() uint64) {
	done, result := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		peak := uint64(0)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse+m.StackInuse)
			select {
			case <-done:
				result <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 {
		close(done)
		return <-result
	}
}

// The other ways in: JSON and its strings, files of variables, templates.
func TestBombsElsewhere(t *testing.T) {
	rep := strings.Repeat
	tmpl := "output \"o\" {\n  value = templatefile(\"t\", {})\n}\n"
	for name, files := range map[string]map[string]string{
		"json arrays":    {"x.stow.json": `{"locals":{"a":` + rep("[", 500_000)},
		"json objects":   {"x.stow.json": rep(`{"a":`, 150_000)},
		"json string":    {"x.stow.json": `{"locals":{"a":"` + rep("${(", 100_000) + `"}}`},
		"json type":      {"x.stow.json": `{"variable":{"a":{"type":"` + rep("list(", 100_000) + `"}}}`},
		"json number":    {"x.stow.json": `{"locals":{"a":` + rep("9", 300_000) + `}}`},
		"json for":       {"x.stow.json": `{"locals":{"a":"${[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]}"}}`},
		"variables":      {"stowage.hcl": "", "stowage.vars.hcl": "a = " + rep("[", 300_000)},
		"type":           {"stowage.hcl": "variable \"a\" {\n  type = " + rep("list(", 100_000) + "\n}\n"},
		"template":       {"stowage.hcl": tmpl, "t": rep("${(", 300_000)},
		"template ifs":   {"stowage.hcl": tmpl, "t": rep("%{if true}", 90_000)},
		"template loops": {"stowage.hcl": tmpl, "t": "%{for a in range(1000)}%{for b in range(1000)}%{for c in range(1000)}x%{endfor}%{endfor}%{endfor}"},
		"large file":     {"stowage.hcl": rep("#", maxFileSize+1)},
		"long env":       {"stowage.hcl": "workload \"w\" {\n  image = \"x\"\n  env_file = [\"e\"]\n}\n", "e": "A=" + rep("x", 500_000) + "\n" + rep("B=$A\n", 90_000)},
		"large env":      {"stowage.hcl": "workload \"w\" {\n  image = \"x\"\n  env_file = [\"e\"]\n}\n", "e": "A=" + rep("x", 1000) + "\n" + rep("A=$A$A\n", 40)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := inDir(t, files)
			stop, start := watchHeap(), cpuTime(t)
			_, diags := evaluate(t, testInputs(dir))
			took, peak := cpuTime(t)-start, stop()
			if !diags.HasErrors() {
				t.Error("no error")
			}
			if took > 2*time.Second || peak > 256<<20 {
				t.Errorf("took %s and %d MB", took, peak>>20)
			}
			t.Logf("%s, %d MB: %.200v", took, peak>>20, diags)
		})
	}
}
