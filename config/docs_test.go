package config

import (
	"os"
	"strings"
	"testing"
)

// What docs/language.md shows is what the grammar takes.
func TestLanguageReference(t *testing.T) {
	page, err := os.ReadFile("../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "```hcl\n")
	if len(parts) < 5 {
		t.Fatalf("%d examples found", len(parts)-1)
	}
	for _, p := range parts[1:] {
		src, _, _ := strings.Cut(p, "```")
		file := src
		if strings.HasPrefix(src, "placement") {
			file = "workload \"web\" {\n" + src + "}\n"
		}
		m := &meter{}
		m.start(t.Context())
		b, diags := m.parseFile([]byte(file), "language.hcl", fileGrammar())
		if b != nil {
			ck := checker{}
			ck.body(b, fileGrammar(), nil, "", "")
			diags = append(diags, ck.diags...)
		}
		if diags.HasErrors() {
			t.Errorf("%v in\n%s", diags.Err(), src)
		}
	}
}
