package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"sync"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// session is one command's work on one fleet: its configuration, its state and the connections to its hosts.
type session struct {
	*app
	config *config.Config
	store  state.Store
	pool   *providers.Pool
	images *localEngine
}

// variableFlags are -var and -var-file, in the order typed.
type variableFlags struct{ given []config.VarInput }

// add defines the flags on a command.
func (v *variableFlags) add(cmd *cobra.Command) {
	cmd.Flags().Var(&variableFlag{v, false}, "var", "set a variable: `name=value`; may be given again")
	cmd.Flags().Var(&variableFlag{v, true}, "var-file", "read variables from `FILE`; may be given again")
}

// variableFlag appends to the shared list, so that the order between -var and -var-file is kept.
type variableFlag struct {
	all  *variableFlags
	file bool
}

func (f *variableFlag) String() string { return "" }
func (f *variableFlag) Type() string   { return "string" }
func (f *variableFlag) Set(s string) error {
	if f.file {
		file, err := filepath.Abs(s)
		if err != nil {
			return err
		}
		f.all.given = append(f.all.given, config.VarInput{File: file})
		return nil
	}
	f.all.given = append(f.all.given, config.VarInput{Assign: s})
	return nil
}

// takeFrom adds the values that a saved plan was made with, so that the configuration becomes the plan's again. What is not a
// file adds nothing: whoever reads the plan says so.
func (v *variableFlags) takeFrom(file string) error {
	b, err := os.ReadFile(file)
	if file == "" || err != nil {
		return nil
	}
	values, err := plan.PeekVariables(b)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(values) {
		v.given = append(v.given, config.VarInput{Name: name, JSON: values[name]})
	}
	return nil
}

// loadConfig reads the configuration. Its warnings are printed; its errors are returned.
func (a *app) loadConfig(ctx context.Context, vars *variableFlags) (*config.Config, error) {
	home, _ := os.UserHomeDir() // empty: "~" is then refused where it is used
	in := config.Inputs{Dir: a.dir, Environ: a.environ, Home: home, Version: version(), Vars: vars.given}
	if vars == &a.vars { // a command that looks at the record: values that only replicas need are not asked for
		in.SettingsOnly = true
		if cfg, diags := config.Load(ctx, in); !diags.HasErrors() {
			a.sources = cfg.Sources()
			return cfg, a.settle(diags)
		}
		in.SettingsOnly = false
	}
	if a.canAsk() {
		in.Ask = a.askVariable
	}
	cfg, diags := config.Load(ctx, in)
	if cfg != nil {
		a.sources = cfg.Sources()
	}
	return cfg, a.settle(diags)
}

// settle prints the warnings among diagnostics and returns the errors.
func (a *app) settle(list diag.List) error {
	var warnings, errs diag.List
	for _, d := range list {
		if d.Severity == diag.Warning {
			warnings = append(warnings, d)
		} else {
			errs = append(errs, d)
		}
	}
	a.printDiagnostics(warnings)
	return errs.Err()
}

// openSession loads the configuration and opens its state. Nothing is written, and no host is reached, yet.
func (a *app) openSession(ctx context.Context, vars *variableFlags) (*session, error) {
	cfg, err := a.loadConfig(ctx, vars)
	if err != nil {
		return nil, err
	}
	store, err := a.outside.openStore(cfg.Settings)
	if err != nil {
		return nil, err
	}
	s := &session{app: a, config: cfg, store: store}
	s.pool = providers.NewPool(a.connect)
	s.images = &localEngine{connect: a.connect}
	return s, nil
}

// close gives back everything that the session holds.
func (s *session) close() {
	s.images.close()
	s.pool.Close()
	s.store.Close()
}

// meta returns the fleet's identity, making it where there is none.
func (s *session) meta(ctx context.Context) (state.Meta, error) {
	return state.EnsureMeta(ctx, s.store, s.config.Settings.Fleet, s.now().UTC(), uuid.NewString, rand.Reader)
}

// wanted evaluates the configuration. A fleet that has no identity gets one only now that its configuration holds, or has
// a secret to seal: a mistake leaves nothing behind.
func (s *session) wanted(ctx context.Context) (reconcile.Wanted, *config.Desired, error) {
	meta := sync.OnceValues(func() (state.Meta, error) { return s.meta(ctx) })
	d, diags := s.config.Evaluate(ctx, func(v string) fleet.Fingerprint {
		m, err := meta()
		if err != nil {
			return "" // never used: the error is returned below
		}
		return fleet.Seal(m.SealKey, v)
	})
	s.sources = s.config.Sources()
	if err := s.settle(diags); err != nil {
		return reconcile.Wanted{}, nil, err
	}
	if _, err := meta(); err != nil {
		return reconcile.Wanted{}, nil, err
	}
	s.ranges = d.Ranges
	w := reconcile.Wanted{Fleet: d.Fleet, Vault: d.Vault, Config: d.Digest, Variables: plainVariables(d.Variables)}
	for _, c := range d.Checks {
		w.Checks = append(w.Checks, c.Eval)
	}
	return w, d, nil
}

// plainVariables are the values of variables that are not sensitive, as a plan binds them.
func plainVariables(all map[string]config.VariableValue) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for name, v := range all {
		if !v.Sensitive {
			out[name] = v.JSON
		}
	}
	return out
}

// pass returns the machinery for one pass over the fleet.
func (s *session) pass(observe func(apply.Event)) *reconcile.Pass {
	return &reconcile.Pass{
		Store: s.store, Hosts: s.pool, Local: s.images.engine, Registry: newRegistry(),
		Now: s.now, NewID: uuid.NewString, Who: who(), Version: version(), Observe: observe,
	}
}

// recorded reads the fleet's record.
func (s *session) recorded(ctx context.Context) (*state.Snapshot, error) {
	return state.Load(ctx, s.store)
}

// who is the person and the machine that act: user@host.
func who() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s@%s", userName(), host)
}

// userName is the account that this process runs as.
func userName() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}

// planned makes a plan. Where it cannot be made while hosts are silent, what is the matter with them is said too, since
// it is most often the reason. The errors of silent hosts are returned beside a plan that was made all the same.
func (s *session) planned(ctx context.Context, w reconcile.Wanted, o reconcile.Options) (*plan.Plan, *silence, error) {
	quiet := &silence{}
	o.Looked = func(v fleet.View, errs map[fleet.HostName]error) { quiet.errs, quiet.hosts = errs, len(v.Hosts) }
	p, err := s.pass(nil).Plan(ctx, w, o)
	if list, ok := diag.From(err); ok && len(quiet.errs) > 0 {
		return nil, quiet, append(s.aboutSilent(quiet), list...).Err()
	}
	return p, quiet, err
}
