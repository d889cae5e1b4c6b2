package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/plaintext"
	"github.com/stowage-run/stowage/state"
)

func newOutput(a *app) *cobra.Command {
	var asJSON, raw bool
	cmd := &cobra.Command{
		Use:   "output [flags] [NAME]",
		Short: "Show the outputs of the last apply",
		Args:  args(0, 1, "at most the name of one output"),
		RunE: func(cmd *cobra.Command, names []string) error {
			s, err := a.openSession(cmd.Context(), &a.vars)
			if err != nil {
				return err
			}
			defer s.close()
			snap, err := s.recorded(cmd.Context())
			if err != nil {
				return err
			}
			if len(names) == 1 {
				return s.printOutput(snap, names[0], asJSON, raw)
			}
			if raw {
				return usageError(cmd, "-raw wants the name of an output")
			}
			return s.listOutputs(snap, asJSON)
		},
	}
	a.vars.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.Flags().BoolVar(&raw, "raw", false, "write a string as it is, without quotes")
	return cmd
}

// hidden says why an output's value cannot be shown: the value of a sensitive one is not kept.
func hidden(o fleet.Output) string {
	switch {
	case o.Sensitive:
		return "<sensitive>"
	case o.Unknown:
		return "(not known)"
	}
	return plaintext.Clean(string(o.Value))
}

func (s *session) listOutputs(snap *state.Snapshot, asJSON bool) error {
	if asJSON {
		out := map[string]map[string]any{}
		for name, o := range snap.Outputs {
			out[name] = map[string]any{"sensitive": o.Sensitive, "value": jsonOrNull(o)}
		}
		return writeJSON(s.out, out)
	}
	for _, name := range sortedKeys(snap.Outputs) {
		fmt.Fprintf(s.out, "%s = %s\n", name, hidden(snap.Outputs[name]))
	}
	return nil
}

func jsonOrNull(o fleet.Output) json.RawMessage {
	if o.Sensitive || len(o.Value) == 0 {
		return json.RawMessage("null")
	}
	return o.Value
}

func (s *session) printOutput(snap *state.Snapshot, name string, asJSON, raw bool) error {
	o, ok := snap.Outputs[name]
	if !ok {
		return diag.Diagnostic{Code: diag.CodeNoSuch, Summary: "No such output",
			Detail: fmt.Sprintf("The last apply recorded no output %q.", name), Remedy: "stowage output"}
	}
	var text string
	switch {
	case o.Sensitive:
		return diag.Diagnostic{Code: diag.CodeSensitive, Summary: "The output is sensitive",
			Detail: "The values of sensitive outputs are not kept anywhere, so there is none to show."}
	case asJSON:
		return writeJSON(s.out, jsonOrNull(o))
	case raw && json.Unmarshal(o.Value, &text) == nil:
		_, err := fmt.Fprint(s.out, text)
		return err
	}
	_, err := fmt.Fprintln(s.out, hidden(o))
	return err
}
