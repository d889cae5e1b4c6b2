package diag

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// declaredCodes reads the codes out of code.go, so that none can be forgotten.
func declaredCodes(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "code.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			s, err := strconv.Unquote(l.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
		return true
	})
	return out
}

func TestEveryCodeIsExplained(t *testing.T) {
	codes := declaredCodes(t)
	if len(codes) < 40 {
		t.Fatalf("found %d codes in code.go: the reader of it is broken", len(codes))
	}
	seen := map[string]bool{}
	for _, c := range codes {
		if seen[c] {
			t.Errorf("%s is given twice", c)
		}
		seen[c] = true
		text, ok := Explain(Code(c))
		if !ok {
			t.Errorf("%s has no explanation in explain/%s.md", c, c)
			continue
		}
		if first, _, _ := strings.Cut(text, "\n"); !strings.Contains(first, c) {
			t.Errorf("explain/%s.md begins with %q, without its code", c, first)
		}
	}
	for _, c := range Codes() {
		if !seen[string(c)] {
			t.Errorf("explain/%s.md explains a code that does not exist", c)
		}
	}
}

func TestFrom(t *testing.T) {
	d := Diagnostic{Summary: "Broken"}
	for _, err := range []error{d, List{d}.Err(), fmt.Errorf("wrapped: %w", d), fmt.Errorf("wrapped: %w", List{d}.Err())} {
		if l, ok := From(err); !ok || len(l) != 1 || l[0].Summary != "Broken" {
			t.Errorf("From(%v) = %v, %v", err, l, ok)
		}
	}
	if _, ok := From(errors.New("plain")); ok {
		t.Error("a plain error carries diagnostics")
	}
	if err := (List{{Severity: Warning}}).Err(); err != nil {
		t.Errorf("warnings alone are the error %v", err)
	}
}
