package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/stowage-run/stowage/diag"
)

// messageText writes messages as the fixtures have them: one a paragraph, with the line that it is about.
func messageText(l diag.List, src string) string {
	lines := strings.Split(src, "\n")
	var b strings.Builder
	for _, d := range l {
		fmt.Fprintf(&b, "%s: %s [%s]\n", d.Severity, d.Summary, d.Code)
		if s := d.Subject; s != nil {
			fmt.Fprintf(&b, "  %d: %s\n", s.Start.Line, strings.TrimSpace(lines[s.Start.Line-1]))
			if s.Start.Line == s.End.Line {
				fmt.Fprintf(&b, "  at: %s\n", src[s.Start.Byte:s.End.Byte])
			}
		}
		fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(d.Detail, "\n", "\n  "))
		if d.Remedy != "" {
			fmt.Fprintf(&b, "  Try: %s\n", strings.ReplaceAll(d.Remedy, "\n", "\n       "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Every word of every message that testdata/messages can provoke, so that a change of one is seen and read.
func TestMessagesWordForWord(t *testing.T) {
	files, err := filepath.Glob("testdata/messages/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			a, err := txtar.ParseFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Files) != 2 {
				t.Fatalf("%d files; stowage.hcl and messages are wanted", len(a.Files))
			}
			src := string(a.Files[0].Data)
			d, diags := evaluateText(t, src)
			if d != nil {
				for _, c := range d.Checks {
					diags = append(diags, c.Known...)
				}
			}
			for _, m := range diags {
				checkMessage(t, m)
			}
			got := messageText(diags, src)
			if *update {
				a.Files[1].Data = []byte(got)
				if err := os.WriteFile(f, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(a.Files[1].Data), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}
