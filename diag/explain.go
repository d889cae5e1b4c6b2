package diag

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed explain/*.md
var explanations embed.FS

// Explain returns the explanation of a code, in Markdown. ok is false for a code that does not exist.
func Explain(c Code) (text string, ok bool) {
	b, err := explanations.ReadFile("explain/" + string(c) + ".md")
	return string(b), err == nil
}

// Codes returns every code that has an explanation, in order.
func Codes() []Code {
	entries, err := fs.ReadDir(explanations, "explain")
	if err != nil {
		panic("diag: the embedded explanations cannot be listed: " + err.Error())
	}
	var codes []Code
	for _, e := range entries {
		codes = append(codes, Code(strings.TrimSuffix(e.Name(), ".md")))
	}
	return codes
}
