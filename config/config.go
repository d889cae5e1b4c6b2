package config

import (
	"context"
	"sync"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// Inputs is everything from outside that a configuration may depend on.
type Inputs struct {
	Dir     string                                 // the configuration's directory
	Shown   string                                 // how Dir is shown before file names in messages; usually empty
	Environ []string                               // KEY=VALUE; STOWAGE_VAR_x for variables, and what secret { env } names
	Vars    []VarInput                             // -var and -var-file, in command-line order
	Ask     func(Variable) (value string, ok bool) // asks a person; nil: input is not allowed
	// SettingsOnly is for what needs the Settings alone: variables without a value stay unknown, and only where a setting
	// depends on one is that an error. Evaluate is not to be called then.
	SettingsOnly bool

	Version string                                          // of Stowage, for required_version; empty or "dev": not checked
	Home    string                                          // for "~/"; empty: "~/" is an error
	Run     func(context.Context, []string) (string, error) // runs a secret's command and returns its output; nil: os/exec, without a shell
}

// VarInput is one -var or -var-file of the command line, or one value out of a saved plan. Exactly one
// form is filled in.
type VarInput struct {
	Assign string // "name=value"
	File   string // a path, relative to the configuration's directory
	Name   string // with JSON
	JSON   []byte
}

// Variable is a declared variable, as a prompt shows it.
type Variable struct {
	Name        string
	Description string
	Type        string // as written: "list(string)"; empty: any
	Sensitive   bool
}

// VariableValue is the value that a variable has. JSON is empty where it is sensitive.
type VariableValue struct {
	JSON      []byte `json:"json,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
}

// Settings is what the stowage block says.
type Settings struct {
	Fleet          fleet.Name
	StatePath      string // absolute
	DeletionBudget int    // percent of what is recorded that may be deleted without being asked about; 30 where nothing is said
}

// Config is a configuration that was read and whose variables have values. It is safe for concurrent
// use; calls of Evaluate run one after another.
type Config struct {
	Settings Settings

	in    Inputs
	root  *rooted
	files map[string][]byte // by name as shown
	mu    sync.Mutex
	meter *meter
	funcs map[string]function.Function

	nodes   map[string]*node
	order   []*node // what is referred to before what refers
	vars    map[string]*variable
	varVals map[string]cty.Value
	blocks  map[string][]*block // top-level blocks by kind
	scrub   *scrubber
}

// Desired is the outcome of an evaluation.
type Desired struct {
	Fleet  *fleet.Fleet              // sorted; images are not pinned
	Vault  fleet.Vault               // the plaintext behind each fingerprint in Fleet
	Ranges map[fleet.Addr]diag.Range // where each host, workload, volume, network and output is declared
	Checks []Check                   // by name
	Digest string                    // "sha256:<hex>" over all that determines Fleet: equal exactly when the input is equal

	Variables map[string]VariableValue // by name; a saved plan binds them
	Revealed  map[string][]byte        // JSON of the sensitive outputs that are known, by name; never to be stored or printed unasked
}

// Sources returns what was read, by file name as messages show it, for snippets. The bytes must not be changed.
func (c *Config) Sources() map[string][]byte {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string][]byte, len(c.files))
	for k, v := range c.files {
		out[k] = v
	}
	return out
}

// VariableValues returns the values that the variables have.
func (c *Config) VariableValues() map[string]VariableValue {
	out := make(map[string]VariableValue, len(c.vars))
	for name := range c.vars {
		out[name] = variableValue(c.varVals[name])
	}
	return out
}
