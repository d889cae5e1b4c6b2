package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// app is what every command works with: the streams, the environment and the global flags.
type app struct {
	*streams
	environ []string
	outside outside
	dir     string // the configuration's directory, absolute
	dirFlag string
	noColor bool
	input   bool
	now     func() time.Time

	// sources are the files behind the ranges of diagnostics.
	sources map[string][]byte
	ranges  map[fleet.Addr]diag.Range
	// stop is closed at the first interrupt. While graceful is set the context lives on until the second one.
	stop     <-chan struct{}
	graceful atomic.Bool
	vars     variableFlags // of commands that look at the record
	lines    *bufio.Reader // of in, once somebody was asked
	log      *slog.Logger
}

// env returns a variable of the environment.
func (a *app) env(name string) string {
	for i := len(a.environ) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(a.environ[i], "="); ok && k == name {
			return v
		}
	}
	return ""
}

// color returns the palette for standard output.
func (a *app) color() palette { return palette(a.outTTY && a.colorAllowed()) }

// errColor returns the palette for standard error.
func (a *app) errColor() palette { return palette(a.errTTY && a.colorAllowed()) }

func (a *app) colorAllowed() bool {
	return !a.noColor && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb"
}

// Main runs one command line and returns its exit status. It is the whole program but for the process around it.
func Main(ctx context.Context, args []string, s *streams, environ []string, o outside) int {
	a := &app{streams: s, environ: environ, outside: o, now: time.Now}
	ctx, done := a.handleInterrupts(ctx)
	defer done()
	closeLog, err := a.openLog()
	if err != nil {
		return a.report(err)
	}
	defer closeLog()

	root := newRoot(a)
	root.SetArgs(doubleDashes(environmentArgs(args, a.env)))
	return a.report(root.ExecuteContext(ctx))
}

// report prints an error as people should see it and returns the exit status.
func (a *app) report(err error) int {
	var status exitStatus
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	}
	list, code := a.explainError(err)
	a.printDiagnostics(list)
	return code
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "stowage",
		Short: "Declare hosts and container workloads, see what would change, make it so",
		Long: `Stowage declares a fleet of hosts and the container workloads on it in HCL, shows
what would change before it changes, and carries it out over SSH and the hosts'
own container engines. Nothing is installed on a host.

Exit status: 0 done; 1 error; 2 with 'plan -detailed-exitcode': there are
changes; 3 with 'apply': partly applied, the rest is owed to hosts that did not
answer; 4 a rollout failed, and was taken back; 5 the state is locked by somebody
else.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		Version:           version(),
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE:              runRoot,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.prepare(cmd) },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("Stowage v{{.Version}}\n")
	p := root.PersistentFlags()
	p.StringVar(&a.dirFlag, "chdir", "", "work in `DIR` instead of the current directory")
	p.BoolVar(&a.noColor, "no-color", false, "write no colours")
	p.BoolVar(&a.input, "input", true, "ask for what is missing; -input=false fails instead")
	p.BoolP("help", "h", false, "help for the command")
	registerTemplates(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, err.Error()) })

	root.AddGroup(&cobra.Group{ID: "main", Title: "Main commands:"},
		&cobra.Group{ID: "run", Title: "Changing what runs:"},
		&cobra.Group{ID: "look", Title: "Looking:"},
		&cobra.Group{ID: "state", Title: "State:"},
		&cobra.Group{ID: "other", Title: "Other commands:"})
	for id, cmds := range map[string][]*cobra.Command{
		"main":  {newInit(a), newValidate(a), newPlan(a), newApply(a), newDestroy(a)},
		"run":   append([]*cobra.Command{newRollback(a), newScale(a), newRestart(a)}, newSteerings(a)...),
		"look":  {newStatus(a), newHistory(a), newLogs(a), newExec(a), newWhy(a), newOutput(a), newShow(a)},
		"state": {newState(a), newForceUnlock(a)},
		"other": {newFmt(a), newExplain(a), newVersion(a), newCompletion(a)},
	} {
		for _, c := range cmds {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("other")
	return root
}

// runRoot answers a line without a command, and one whose command does not exist.
func runRoot(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	d := diag.Diagnostic{Code: diag.CodeUsage, Summary: "No such command",
		Detail: fmt.Sprintf("%q is not a command of stowage.", args[0]), Remedy: "stowage -help"}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		d.Detail += fmt.Sprintf(" Did you mean %q?", near[0])
	}
	return d
}

// args returns a check of the number of arguments that says what is wanted: "a workload, such as web or web[2]".
func args(least, most int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		switch {
		case len(got) < least:
			return usageError(cmd, fmt.Sprintf("%s wants %s", cmd.CommandPath(), want))
		case most >= 0 && len(got) > most:
			return usageError(cmd, fmt.Sprintf("%s does not know what to do with %q: it wants %s", cmd.CommandPath(), got[most], want))
		}
		return nil
	}
}

// prepare settles the global flags before a command runs.
func (a *app) prepare(*cobra.Command) error {
	dir := a.dirFlag
	if dir == "" {
		dir = "."
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("-chdir: %w", err)
	}
	if st, err := os.Stat(abs); err != nil || !st.IsDir() {
		return diag.Diagnostic{Code: diag.CodeUsage, Summary: "No such directory",
			Detail: fmt.Sprintf("-chdir=%s does not name a directory.", dir)}
	}
	a.dir = abs
	if v := a.env("STOWAGE_INPUT"); v == "0" || v == "false" {
		a.input = false
	}
	return nil
}

// usageError is a mistake on the command line.
func usageError(cmd *cobra.Command, what string) error {
	return diag.Diagnostic{Code: diag.CodeUsage, Summary: "Cannot read the command line",
		Detail: strings.ToUpper(what[:1]) + what[1:] + ".", Remedy: cmd.CommandPath() + " -help"}
}
