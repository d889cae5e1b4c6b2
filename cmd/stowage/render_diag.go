package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/internal/plaintext"
)

// printDiagnostics writes messages to standard error, warnings first so that the error is what is read last.
func (a *app) printDiagnostics(list diag.List) {
	for _, severity := range []diag.Severity{diag.Warning, diag.Error} {
		for _, d := range list {
			if d.Severity == severity {
				renderDiagnostic(a.err, d, a.sources, a.errColor())
			}
		}
	}
}

// renderDiagnostic writes one message in the form that CLI.md shows: what, where with the line, what was seen,
// what to type, what was changed, and the code.
func renderDiagnostic(w io.Writer, d diag.Diagnostic, sources map[string][]byte, c palette) {
	head := c.red("Error:")
	if d.Severity == diag.Warning {
		head = c.yellow("Warning:")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", head, c.bold(plaintext.Line(d.Summary)))
	if d.Subject != nil {
		fmt.Fprintf(&b, "  on %s line %d", plaintext.Line(d.Subject.File), d.Subject.Start.Line)
		if d.In != "" {
			fmt.Fprintf(&b, ", in %s", plaintext.Line(d.In))
		}
		b.WriteString(":\n")
		if line, ok := sourceLine(sources[d.Subject.File], d.Subject.Start.Line); ok {
			fmt.Fprintf(&b, "  %d: %s\n", d.Subject.Start.Line, plaintext.Line(line))
		}
	} else if d.In != "" {
		fmt.Fprintf(&b, "  in %s\n", plaintext.Line(d.In))
	}
	if d.Detail != "" {
		b.WriteString(plaintext.Clean(strings.TrimSpace(d.Detail)) + "\n")
	}
	if d.Remedy != "" {
		lines := strings.Split(plaintext.Clean(strings.TrimSpace(d.Remedy)), "\n")
		fmt.Fprintf(&b, "%s  %s\n", c.cyan("Try:"), strings.Join(lines, "\n      "))
	}
	if d.Code != "" {
		hint := fmt.Sprintf("[%s: stowage explain %s]", d.Code, d.Code)
		if d.Affected != "" {
			hint = plaintext.Line(d.Affected) + "  " + hint
		}
		b.WriteString(c.dim(hint) + "\n")
	}
	b.WriteString("\n")
	fmt.Fprint(w, b.String())
}

// sourceLine returns line n, counted from 1, of a file.
func sourceLine(src []byte, n int) (string, bool) {
	for ; n > 1; n-- {
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			return "", false
		}
		src = src[i+1:]
	}
	line, _, _ := bytes.Cut(src, []byte("\n"))
	return strings.TrimRight(string(line), "\r"), len(src) > 0
}
