package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/stowage-run/stowage/diag"
)

// given is a value from outside, before it is converted.
type given struct {
	val  cty.Value // NilVal: raw is to be read
	raw  string
	at   *diag.Range
	from string // "-var", "STOWAGE_VAR_x", a file
}

// collect gathers the values from outside, low to high: environment, files, command line.
func (c *Config) collect(varFiles []string) (map[string]given, diag.List) {
	got := map[string]given{}
	var diags diag.List
	for _, kv := range c.in.Environ {
		k, raw, _ := strings.Cut(kv, "=")
		if name, ok := strings.CutPrefix(k, "STOWAGE_VAR_"); ok && c.vars[name] != nil {
			got[name] = given{raw: raw, from: k + " in the environment"}
		}
	}
	for _, f := range varFiles {
		diags = append(diags, c.varFile(f, got)...)
	}
	for _, in := range c.in.Vars {
		switch {
		case in.File != "":
			diags = append(diags, c.varFile(in.File, got)...)
		case in.Name != "":
			diags = append(diags, c.savedVar(in, got)...)
		default:
			diags = append(diags, c.flagVar(in.Assign, got)...)
		}
	}
	return got, diags
}

func (c *Config) flagVar(assign string, got map[string]given) diag.List {
	name, raw, ok := strings.Cut(assign, "=")
	if !ok {
		return diag.List{{Code: diag.CodeVariable, Summary: "Not a variable's value",
			Detail: fmt.Sprintf("-var takes name=value; %q has no equals sign.", assign), Remedy: "-var '" + assign + "=VALUE'"}}
	}
	name = strings.TrimSpace(name)
	if c.vars[name] == nil {
		d := diag.Diagnostic{Code: diag.CodeVariable, Summary: "Variable not declared",
			Detail: fmt.Sprintf("-var gives %q a value, but no variable of that name is declared.", name), Remedy: fmt.Sprintf("variable %q {}", name)}
		if n := nearest(name, c.varNames()); n != "" {
			d.Detail += " Did you mean " + n + "?"
		}
		return diag.List{d}
	}
	got[name] = given{raw: raw, from: "-var"}
	return nil
}

func (c *Config) savedVar(in VarInput, got map[string]given) diag.List {
	v := c.vars[in.Name]
	if v == nil {
		return diag.List{{Code: diag.CodeVariable, Summary: "Variable not declared",
			Detail: fmt.Sprintf("The plan gives %q a value, but no variable of that name is declared.", in.Name)}}
	}
	ty, err := ctyjson.ImpliedType(in.JSON)
	if err == nil {
		var val cty.Value
		if val, err = ctyjson.Unmarshal(in.JSON, ty); err == nil {
			got[in.Name] = given{val: val, from: "the plan"}
			return nil
		}
	}
	return diag.List{{Code: diag.CodeVariable, Summary: "Invalid value for a variable", Detail: fmt.Sprintf("The value of %q is not JSON.", in.Name)}}
}

// varFile reads one file of values. A file named on the command line may be anywhere.
func (c *Config) varFile(path string, got map[string]given) diag.List {
	src, shown, err := c.readVarFile(path)
	if err != nil {
		return diag.List{{Code: diag.CodeVariable, Summary: "A file of variables cannot be read", Detail: sentence(err.Error())}}
	}
	c.files[shown] = src
	b, diags := c.meter.parseFile(src, shown, &grammar{open: true})
	if b == nil {
		return diags
	}
	for _, x := range b.blocks {
		diags = append(diags, problem(diag.CodeUnknownArgument, "Unknown block", x.at, "",
			"A file of variables holds name = value lines only.", "move the block to stowage.hcl"))
	}
	for _, name := range b.names {
		a := b.attrs[name]
		if c.vars[name] == nil {
			d := problem(diag.CodeVariable, "Variable not declared", a.at, "",
				fmt.Sprintf("The value for %q is not used: no variable of that name is declared.", name), fmt.Sprintf("variable %q {}", name))
			d.Severity = diag.Warning
			if n := nearest(name, c.varNames()); n != "" {
				d.Detail += " Did you mean " + n + "?"
			}
			diags = append(diags, d)
			continue
		}
		val, ds := a.expr.Value(nil)
		diags = append(diags, fromHCL(ds, diag.CodeEvaluate, "")...)
		if !ds.HasErrors() {
			got[name] = given{val: val, at: rangeOf(a.expr.Range()), from: shown}
		}
	}
	return diags
}

func (c *Config) readVarFile(path string) (src []byte, shown string, err error) {
	if inside, err := c.root.inside(path); err == nil {
		src, err := c.root.file(inside)
		return src, c.root.name(inside), err
	}
	abs := path
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(c.root.dir, abs)
	}
	other, err := openRoot(filepath.Dir(abs), filepath.Dir(path))
	if err != nil {
		return nil, path, err
	}
	defer other.root.Close()
	src, err = other.file(filepath.Base(abs))
	if err == nil {
		c.root.read["\x00"+path] = src // counted in the digest like any other
	}
	return src, path, err
}
