package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kevinburke/ssh_config"
	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

func newInit(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Write a commented stowage.hcl and a .gitignore",
		Long: `Writes a commented stowage.hcl that runs on this machine's engine, with the hosts of
~/.ssh/config offered, and a .gitignore for the state. Files that exist are not touched.`,
		Args: args(0, 0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			existing, err := filepath.Glob(filepath.Join(a.dir, "*.stow.*"))
			if err != nil {
				return err
			}
			if len(existing) > 0 {
				return diag.Diagnostic{Code: diag.CodeUsage, Summary: "There is a configuration already",
					Detail: fmt.Sprintf("%s is here; nothing was written.", filepath.Base(existing[0])), Remedy: "stowage plan"}
			}
			if err := a.writeNew("stowage.hcl", starter(filepath.Base(a.dir), sshHosts(homeDir()))); err != nil {
				return err
			}
			if err := a.writeNew(".gitignore", "/.stowage/\n*.stowplan\n"); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			fmt.Fprintf(a.out, "\nNext:\n    stowage plan     shows what would change\n    stowage apply    makes it so\n")
			return nil
		},
	}
}

// writeNew writes a file that must not exist.
func (a *app) writeNew(name, content string) error {
	f, err := os.OpenFile(filepath.Join(a.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) && name == "stowage.hcl" {
		return diag.Diagnostic{Code: diag.CodeUsage, Summary: "There is a configuration already",
			Detail: name + " is here; nothing was written.", Remedy: "stowage plan"}
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Wrote %s\n", name)
	return nil
}

// starter is the first configuration.
func starter(dir string, hosts []string) string {
	name := strings.ToLower(fleet.Flat(dir))
	if !fleet.ValidName(name) {
		name = "fleet"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `stowage {
  fleet = %q
}

# This machine's engine. A host with an address is reached over SSH:
#   host "web1" { address = "203.0.113.10" }
host "local" {}

`, name)
	if len(hosts) > 0 {
		b.WriteString("# Hosts of ~/.ssh/config; take out the # of those that should run containers:\n")
		for _, h := range hosts {
			fmt.Fprintf(&b, "#   host %q { address = %q }\n", fleet.Flat(h), h)
		}
		b.WriteString("\n")
	}
	b.WriteString(`workload "web" {
  image    = "nginx:1.27"
  replicas = 2

  port "http" {
    container = 80
    host      = "auto" # one from 20000-29999, shown by the plan; a number: exactly it
  }
}
`)
	return b.String()
}

// mostOffered bounds how many hosts are offered.
const mostOffered = 50

// sshHosts lists the plain host names of ~/.ssh/config. A file that cannot be read offers nothing.
func sshHosts(home string) []string {
	f, err := os.Open(filepath.Join(home, ".ssh", "config"))
	if err != nil {
		return nil
	}
	defer f.Close()
	cfg, err := ssh_config.Decode(f)
	if err != nil {
		return nil
	}
	var out []string
	for _, h := range cfg.Hosts {
		for _, p := range h.Patterns {
			if s := p.String(); !strings.ContainsAny(s, "*?!\"\\") && len(out) < mostOffered {
				out = append(out, s)
			}
		}
	}
	return out
}
