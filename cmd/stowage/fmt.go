package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/diag"
)

type fmtFlags struct{ check, diff, recursive, write, list bool }

func newFmt(a *app) *cobra.Command {
	var f fmtFlags
	cmd := &cobra.Command{
		Use:   "fmt [flags] [FILE|DIR ...]",
		Short: "Rewrite configuration files in the canonical form",
		Long: `Rewrites stowage.hcl, *.stow.hcl and *.vars.hcl files, of the directory or those named, in
the canonical form, and names those that changed. '-' reads standard input and writes standard output.

Exit status: 0 done; 1 error; 3 with -check: files need formatting.`,
		RunE: func(_ *cobra.Command, names []string) error { return a.format(f, names) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.check, "check", false, "change nothing; exit with 3 where files need formatting")
	fs.BoolVar(&f.diff, "diff", false, "show the differences")
	fs.BoolVar(&f.recursive, "recursive", false, "go into subdirectories")
	fs.BoolVar(&f.write, "write", true, "write the files back")
	fs.BoolVar(&f.list, "list", true, "name the files that change")
	return cmd
}

func (a *app) format(f fmtFlags, names []string) error {
	if len(names) == 1 && names[0] == "-" {
		return a.formatStdin(f)
	}
	if len(names) == 0 {
		names = []string{a.dir}
	}
	files, err := configFiles(names, f.recursive)
	if err != nil {
		return err
	}
	changed := false
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		differs, err := a.formatOne(f, file, src)
		if err != nil {
			return err
		}
		changed = changed || differs
	}
	if f.check && changed {
		return exitStatus(exitUnformatted)
	}
	return nil
}

// formatOne formats one file and reports whether that changes it.
func (a *app) formatOne(f fmtFlags, file string, src []byte) (bool, error) {
	shown := file
	if rel, err := filepath.Rel(a.dir, file); err == nil && !strings.HasPrefix(rel, "..") {
		shown = rel
	}
	out, diags := config.Format(src, shown)
	if diags.HasErrors() {
		a.sources = map[string][]byte{shown: src}
		return false, diags.Err()
	}
	if bytes.Equal(out, src) {
		return false, nil
	}
	if f.list {
		fmt.Fprintln(a.out, shown)
	}
	if f.diff {
		a.printDiff(shown, src, out)
	}
	if f.check || !f.write {
		return true, nil
	}
	st, err := os.Stat(file)
	if err != nil {
		return true, err
	}
	return true, renameio.WriteFile(file, out, st.Mode().Perm(), renameio.IgnoreUmask())
}

func (a *app) formatStdin(f fmtFlags) error {
	src, err := io.ReadAll(a.in)
	if err != nil {
		return err
	}
	out, diags := config.Format(src, "<stdin>")
	if diags.HasErrors() {
		a.sources = map[string][]byte{"<stdin>": src}
		return diags.Err()
	}
	if f.check {
		if !bytes.Equal(src, out) {
			return exitStatus(exitUnformatted)
		}
		return nil
	}
	_, err = a.out.Write(out)
	return err
}

// printDiff shows what changes, line by line.
func (a *app) printDiff(name string, before, after []byte) {
	fmt.Fprintf(a.out, "--- old/%s\n+++ new/%s\n", name, name)
	old, now := strings.Split(string(before), "\n"), strings.Split(string(after), "\n")
	c := a.color()
	// The canonical form changes blanks within lines and nothing else, so lines correspond one to one as long as their
	// number is the same; where it is not, whole texts are shown.
	if len(old) != len(now) {
		for _, l := range old {
			fmt.Fprintln(a.out, c.red("-"+l))
		}
		for _, l := range now {
			fmt.Fprintln(a.out, c.green("+"+l))
		}
		return
	}
	for i := range old {
		if old[i] != now[i] {
			fmt.Fprintf(a.out, "@@ line %d @@\n%s\n%s\n", i+1, c.red("-"+old[i]), c.green("+"+now[i]))
		}
	}
}

// configFiles finds the configuration files among names and in directories.
func configFiles(names []string, recursive bool) ([]string, error) {
	var out []string
	for _, name := range names {
		st, err := os.Stat(name)
		if err != nil {
			return nil, diag.Diagnostic{Code: diag.CodeUsage, Summary: "No such file", Detail: fmt.Sprintf("%s is neither a file nor a directory.", name)}
		}
		if !st.IsDir() {
			out = append(out, name)
			continue
		}
		err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != name && (!recursive || strings.HasPrefix(d.Name(), ".")):
				return filepath.SkipDir
			case !d.IsDir() && isConfigFile(d.Name()):
				out = append(out, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	return out, nil
}

func isConfigFile(name string) bool {
	return name == "stowage.hcl" || strings.HasSuffix(name, ".stow.hcl") || name == "stowage.vars.hcl" || strings.HasSuffix(name, ".auto.vars.hcl")
}
