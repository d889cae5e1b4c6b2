// Command generate prints docs/errors.md: the explanation of every code. Run it with make docs.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/stowage-run/stowage/diag"
)

const header = `# Errors

<!-- Generated from diag/explain by make docs. Change it there. -->

Every message ends in a code. ` + "`stowage explain CODE`" + ` prints what is written here.
`

// areas are the chapters, by the first digits of their codes.
var areas = [...]struct{ prefix, title string }{
	{"S01", "The configuration"},
	{"S02", "Reaching a host"},
	{"S03", "A host's engine"},
	{"S04", "Placing and planning"},
	{"S05", "Applying"},
	{"S06", "State"},
	{"S07", "Images and secrets"},
	{"S09", "The command line"},
}

func main() {
	page, err := errorsPage()
	if err == nil {
		_, err = os.Stdout.Write(page)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// errorsPage is an error where a code belongs to no area, so that none is left out unseen.
func errorsPage() ([]byte, error) {
	var page bytes.Buffer
	page.WriteString(header)
	written := 0
	for _, area := range areas {
		fmt.Fprintf(&page, "\n## %s\n", area.title)
		for _, code := range diag.Codes() {
			if !strings.HasPrefix(string(code), area.prefix) {
				continue
			}
			text, _ := diag.Explain(code)
			fmt.Fprintf(&page, "\n<a id=\"%s\"></a>\n\n##%s\n", strings.ToLower(string(code)), strings.TrimRight(text, "\n"))
			written++
		}
	}
	if all := len(diag.Codes()); written != all {
		return nil, fmt.Errorf("%d of %d codes are in no area", all-written, all)
	}
	return page.Bytes(), nil
}
