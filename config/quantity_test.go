package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
)

func TestParseSize(t *testing.T) {
	for s, want := range map[string]fleet.Bytes{
		"512m": 512 * fleet.MiB, "512M": 512 * fleet.MiB, "512Mi": 512 * fleet.MiB, "512MiB": 512 * fleet.MiB, "512 MiB": 512 * fleet.MiB,
		"1.5g": 1536 * fleet.MiB, "2TiB": 2 * fleet.TiB, "64k": 64 * fleet.KiB, "100b": 100, "0B": 0,
	} {
		if got, _, err := parseSize(s); err != nil || got != want {
			t.Errorf("parseSize(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]string{"512": "512MiB", "1GB": "1GiB", "5mb": "5MiB", "2KB": "2KiB", "": "", "x": "", "-1m": "", "1PiB": "", "1e9b": "", "999999999999TiB": ""} {
		_, remedy, err := parseSize(s)
		if err == nil || remedy != want {
			t.Errorf("parseSize(%q): %v, remedy %q; want an error and %q", s, err, remedy, want)
		}
	}
}

func TestParseCPU(t *testing.T) {
	for s, want := range map[string]fleet.CPU{"0.5": 500, "500m": 500, "2": 2000, "0.001": 1, "0": 0} {
		if got, err := parseCPU(s); err != nil || got != want {
			t.Errorf("parseCPU(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "x", "-1", "NaN", "Inf", "1e300", "0.0001", "5mm", "500MHz"} {
		if got, err := parseCPU(s); err == nil {
			t.Errorf("parseCPU(%q) = %v", s, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{"10s": 10 * time.Second, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "0": 0, "250ms": 250 * time.Millisecond} {
		if got, err := parseDuration(s); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "10", "1.5", "-1s", "ten", "1y", "-1d"} {
		if got, err := parseDuration(s); err == nil {
			t.Errorf("parseDuration(%q) = %v", s, got)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for s, want := range map[string][]string{
		"a b":            {"a", "b"},
		`a 'b c' "d e"`:  {"a", "b c", "d e"},
		`a\ b c"d"'e'`:   {"a b", "cde"},
		`"a\"b" '' "\x"`: {`a"b`, "", `\x`},
		`a $B *.c | d`:   {"a", "$B", "*.c", "|", "d"},
		"":               nil,
		" \t\n":          nil,
	} {
		got, err := splitWords(s)
		if err != nil {
			t.Errorf("splitWords(%q): %v", s, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("splitWords(%q): -want +got:\n%s", s, d)
		}
	}
	for _, s := range []string{`"a`, `'a`, `a\`} {
		if got, err := splitWords(s); err == nil {
			t.Errorf("splitWords(%q) = %q", s, got)
		}
	}
}

func TestParseEnvFile(t *testing.T) {
	src := "# c\n\nA=1\r\nexport B = \"x\\ty\" # c\nC='a # $A'\nD=a # c\nE=a#b\nF=\nG=${A}-$A-$$A\nH=\"two\nlines\"\nI=\"\\$A\"\n"
	want := map[string]string{"A": "1", "B": "x\ty", "C": "a # $A", "D": "a", "E": "a#b", "F": "", "G": "1-1-$A", "H": "two\nlines", "I": "$A"}
	got, err := parseEnvFile([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for s, want := range map[string]string{
		"A": "line 1: \"A\" has no equals sign; values are not taken from the environment here", "A=1\nB=\"x": "line 2: a quote is not closed",
		"A='x' y": "line 1: there is text behind the closing quote", "A=\"a\nb\"\nB=$C": "line 3: ${C} is not an earlier line of the file; write single quotes or $$ for a plain $",
		"=x": "line 1: \"\" cannot be the name of an environment variable",
	} {
		if _, err := parseEnvFile([]byte(s)); err == nil || err.Error() != want {
			t.Errorf("parseEnvFile(%q): %v; want %s", s, err, want)
		}
	}
}
