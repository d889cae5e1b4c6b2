package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// format is the form in which a command shows what it has to say.
type format string

// The formats. Text is for people, and the default.
const (
	formatText format = "text"
	formatJSON format = "json"
	formatSVG  format = "svg"
)

// formatFlags are -format and, since fingers know it, -json.
type formatFlags struct {
	name string
	json bool
}

func (f *formatFlags) define(cmd *cobra.Command, json string) {
	cmd.Flags().StringVar(&f.name, "format", "", "`FORMAT` of the output: text, json, or svg for a drawing (default text)")
	cmd.Flags().BoolVar(&f.json, "json", false, json)
}

func (f *formatFlags) format(cmd *cobra.Command) (format, error) {
	switch got := format(f.name); {
	case got == "" && f.json, got == formatJSON:
		return formatJSON, nil
	case f.json:
		return "", usageError(cmd, fmt.Sprintf("-json and -format=%s exclude each other", got))
	case got == "":
		return formatText, nil
	case got == formatText, got == formatSVG:
		return got, nil
	}
	return "", usageError(cmd, fmt.Sprintf("-format: %q is none of text, json and svg", f.name))
}

// jsonOrText is the format of commands that know these two.
func jsonOrText(asJSON bool) format {
	if asJSON {
		return formatJSON
	}
	return formatText
}
