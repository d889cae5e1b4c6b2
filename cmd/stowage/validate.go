package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

func newValidate(a *app) *cobra.Command {
	var vars variableFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate [flags]",
		Short: "Check the configuration, without hosts and state",
		Args:  args(0, 0, "no argument; the configuration is that of the directory, or of -chdir=DIR"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, diags := config.Load(cmd.Context(), config.Inputs{Dir: a.dir, Environ: a.environ, Vars: vars.given, Home: homeDir(), Version: version()})
			a.sources = cfg.Sources()
			if !diags.HasErrors() {
				// The key of the state is not needed to check: fingerprints made here are thrown away.
				d, more := cfg.Evaluate(cmd.Context(), func(v string) fleet.Fingerprint { return fleet.Seal(nil, v) })
				diags = append(diags, more...)
				if d != nil {
					for _, c := range d.Checks {
						diags = append(diags, c.Known...)
					}
				}
				a.sources = cfg.Sources()
			}
			if asJSON {
				return a.validateJSON(diags)
			}
			if err := a.settle(diags); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s The configuration is valid.\n", a.color().green("Success!"))
			return nil
		},
	}
	vars.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// jsonDiagnostic has Terraform's keys.
type jsonDiagnostic struct {
	Severity string     `json:"severity"`
	Code     diag.Code  `json:"code"`
	Summary  string     `json:"summary"`
	Detail   string     `json:"detail"`
	Remedy   string     `json:"remedy,omitempty"`
	Range    *jsonRange `json:"range,omitempty"`
}

type jsonRange struct {
	Filename string   `json:"filename"`
	Start    diag.Pos `json:"start"`
	End      diag.Pos `json:"end"`
}

func (a *app) validateJSON(list diag.List) error {
	out := struct {
		FormatVersion string           `json:"format_version"`
		Valid         bool             `json:"valid"`
		Errors        int              `json:"error_count"`
		Warnings      int              `json:"warning_count"`
		Diagnostics   []jsonDiagnostic `json:"diagnostics"`
	}{FormatVersion: "1.0", Valid: !list.HasErrors(), Diagnostics: []jsonDiagnostic{}}
	for _, d := range list {
		j := jsonDiagnostic{Severity: "error", Code: d.Code, Summary: d.Summary, Detail: d.Detail, Remedy: d.Remedy}
		if d.Severity == diag.Warning {
			j.Severity = "warning"
			out.Warnings++
		} else {
			out.Errors++
		}
		if d.Subject != nil {
			j.Range = &jsonRange{d.Subject.File, d.Subject.Start, d.Subject.End}
		}
		out.Diagnostics = append(out.Diagnostics, j)
	}
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	if !out.Valid {
		return exitStatus(exitError)
	}
	return nil
}
