package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is this tree's version, set when it is released.
const release = "0.1.0"

// version returns the version as it is shown: "0.1.0", with the commit for a build that is not a release.
func version() string { return release }

// commit returns the commit that the program was built from; empty where it is not known.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

func newVersion(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version [flags]",
		Short: "Show the version",
		Args:  args(0, 0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(a.out).Encode(map[string]string{
					"stowage_version": version(), "commit": commit(), "platform": runtime.GOOS + "_" + runtime.GOARCH, "go": runtime.Version()})
			}
			fmt.Fprintf(a.out, "Stowage v%s\non %s_%s\n", version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}
