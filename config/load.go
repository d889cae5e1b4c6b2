package config

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	version "github.com/hashicorp/go-version"
	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// defaultDeletionBudget is how much of a fleet may go without a question where nothing is said.
const defaultDeletionBudget = 30

// Load reads the configuration of a directory, checks it and gives the variables their values. It resolves
// no secret and runs no command. The returned Config is not nil: where the list holds errors only its
// Sources may be used.
func Load(ctx context.Context, in Inputs) (*Config, diag.List) {
	c := &Config{in: in, files: map[string][]byte{}, meter: &meter{}, nodes: map[string]*node{}, scrub: &scrubber{},
		vars: map[string]*variable{}, varVals: map[string]cty.Value{}, blocks: map[string][]*block{}}
	c.meter.start(ctx)
	root, err := openRoot(in.Dir, in.Shown)
	if err != nil {
		return c, diag.List{{Code: diag.CodeNoConfig, Summary: "The directory cannot be opened", Detail: sentence(err.Error())}}
	}
	c.root = root
	c.funcs = c.functions()
	return c, c.scrub.clean(c.meter.report(c.load()))
}

// load is Load's work, one stage after the other. A stage begins only when those before it found no error,
// except that all files are parsed and checked before any is refused.
func (c *Config) load() diag.List {
	files, varFiles, err := c.root.configFiles()
	if err != nil {
		return diag.List{{Code: diag.CodeNoConfig, Summary: "The directory cannot be read", Detail: sentence(err.Error())}}
	}
	if len(files) == 0 {
		return diag.List{noConfig(c.root.dir)}
	}
	if len(files) > maxFiles {
		return diag.List{{Code: diag.CodeBudget, Summary: "Too many files",
			Detail: fmt.Sprintf("The directory has %d configuration files; at most %d are read.", len(files), maxFiles), Remedy: "put several blocks into one file"}}
	}
	g := fileGrammar()
	bodies, diags := c.readAll(files, g)
	ck := checker{}
	for _, b := range bodies {
		ck.body(b, g, nil, "", "")
	}
	diags = append(diags, ck.diags...)
	if diags.HasErrors() {
		return diags
	}
	stages := []func() diag.List{
		func() diag.List { return c.sortBlocks(bodies) },
		c.requireVersion,
		c.declareVariables,
		c.link,
		func() diag.List { return c.setVariables(varFiles) },
		c.validate,
		c.settle,
	}
	for _, stage := range stages {
		diags = append(diags, stage()...)
		if diags.HasErrors() {
			return diags
		}
	}
	return diags
}

func (c *Config) setVariables(varFiles []string) diag.List {
	got, diags := c.collect(varFiles)
	if diags.HasErrors() {
		return diags
	}
	return append(diags, c.giveValues(got)...)
}

// stowageBlock returns the settings block, or nil.
func (c *Config) stowageBlock() *block {
	if bs := c.blocks["stowage"]; len(bs) > 0 {
		return bs[0]
	}
	return nil
}

// requireVersion comes before variables, so that a configuration for a newer Stowage says so first.
func (c *Config) requireVersion() diag.List {
	b := c.stowageBlock()
	if b == nil {
		return nil
	}
	d := c.constants(b.body, b.title())
	want, ok := d.strOK("required_version")
	if !ok {
		return d.diags
	}
	a := b.body.attrs["required_version"]
	cons, err := version.NewConstraint(want)
	if err != nil {
		d.bad(a, fmt.Sprintf("%q is not a version constraint.", want), `required_version = ">= 0.1"`)
		return d.diags
	}
	have, err := version.NewVersion(c.in.Version)
	if err != nil {
		return nil // a build without a version, as from a checkout
	}
	if !cons.Check(have.Core()) {
		d.add(diag.CodeVersion, "Another version of Stowage is required", a.expr.Range(),
			fmt.Sprintf("The configuration requires %s; this is %s.", want, have), "stowage version")
	}
	return d.diags
}

// settle reads the stowage block. It may use variables, functions and locals made of them.
func (c *Config) settle() diag.List {
	c.Settings = Settings{DeletionBudget: defaultDeletionBudget, StatePath: filepath.Join(c.root.dir, ".stowage")}
	b := c.stowageBlock()
	if b == nil {
		return c.defaultName()
	}
	scope, diags := c.earlyScope(b)
	if diags.HasErrors() {
		return diags
	}
	d := &decoder{c: c, ctx: scope, body: b.body, in: b.title(), at: b.def}
	if s, ok := d.strOK("deletion_budget"); ok {
		n, err := parsePercent(s)
		if err != nil {
			d.bad(b.body.attrs["deletion_budget"], sentence(err.Error()), `deletion_budget = "30%"`)
		}
		c.Settings.DeletionBudget = n
	}
	if st := d.block("state"); st != nil {
		if p, ok := st.strOK("path"); ok {
			c.Settings.StatePath = c.absolute(p)
			if p == "" {
				st.bad(st.body.attrs["path"], "The path is empty.", `path = ".stowage"`)
			}
		}
		d.join(st)
	}
	name, ok := d.strOK("fleet")
	switch {
	case ok && !fleet.ValidName(name):
		d.add(diag.CodeValue, "Invalid name", b.body.attrs["fleet"].expr.Range(),
			fmt.Sprintf("%q cannot be the name of a fleet: letters, digits, - and _ can, 63 at most, beginning with a letter or digit.", name), "")
	case ok:
		c.Settings.Fleet = fleet.Name(name)
	case b.body.attrs["fleet"] == nil || len(d.diags) == 0:
		d.diags = append(d.diags, c.defaultName()...)
	}
	return append(diags, d.diags...)
}

// defaultName names the fleet after its directory.
func (c *Config) defaultName() diag.List {
	base := filepath.Base(c.root.dir)
	name := strings.Trim(strings.ToLower(fleet.Flat(base)), "-_.")
	if len(name) > 63 {
		name = name[:63]
	}
	if !fleet.ValidName(name) {
		return diag.List{{Code: diag.CodeValue, Summary: "The fleet needs a name",
			Detail: fmt.Sprintf("A fleet is named after its directory, and %q cannot be a name.", base), Remedy: `stowage { fleet = "shop" }`}}
	}
	c.Settings.Fleet = fleet.Name(name)
	return nil
}

// absolute makes a path of the configuration absolute.
func (c *Config) absolute(p string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok && c.in.Home != "" {
		return filepath.Join(c.in.Home, rest)
	}
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(c.root.dir, p)
}
