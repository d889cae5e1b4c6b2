package config

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// fileFuncs reads files, inside of the configuration's directory only.
func (c *Config) fileFuncs() map[string]function.Function {
	read := func(encode func(b []byte) (string, error)) function.Function {
		return simple(func(s []string) (string, error) {
			b, err := c.root.file(s[0])
			if err != nil {
				return "", err
			}
			return encode(b)
		}, "path")
	}
	sum := func(make func() hash.Hash, encode func([]byte) string) function.Function {
		return read(func(b []byte) (string, error) { return digestOf(make, encode, b), nil })
	}
	b64 := base64.StdEncoding.EncodeToString
	return map[string]function.Function{
		"file":             read(fileText),
		"filebase64":       read(func(b []byte) (string, error) { return b64(b), nil }),
		"filemd5":          sum(md5.New, hex.EncodeToString),
		"filesha1":         sum(sha1.New, hex.EncodeToString),
		"filesha256":       sum(sha256.New, hex.EncodeToString),
		"filesha512":       sum(sha512.New, hex.EncodeToString),
		"filebase64sha256": sum(sha256.New, b64),
		"filebase64sha512": sum(sha512.New, b64),
		"basename":         simple(func(s []string) (string, error) { return filepath.Base(s[0]), nil }, "path"),
		"dirname":          simple(func(s []string) (string, error) { return filepath.Dir(s[0]), nil }, "path"),
		"abspath":          simple(func(s []string) (string, error) { return c.absolute(s[0]), nil }, "path"),
		"pathexpand": simple(func(s []string) (string, error) {
			if s[0] != "~" && !strings.HasPrefix(s[0], "~/") {
				return s[0], nil
			}
			if c.in.Home == "" {
				return "", errors.New("the home directory is not known")
			}
			return filepath.Join(c.in.Home, s[0][1:]), nil
		}, "path"),
		"fileexists": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "path", Type: cty.String}},
			Type:   function.StaticReturnType(cty.Bool),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				ok, err := c.root.exists(args[0].AsString())
				return cty.BoolVal(ok), err
			},
		}),
		"fileset": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
			Type:   function.StaticReturnType(cty.Set(cty.String)),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				return c.root.set(args[0].AsString(), args[1].AsString())
			},
		}),
	}
}

func fileText(b []byte) (string, error) {
	s, err := utf8Only(b)
	if err != nil {
		return "", errors.New("the file is not UTF-8 text; filebase64 reads any")
	}
	return s, nil
}

// maxWalked bounds the files that one fileset looks at.
const maxWalked = 100_000

// set lists the files below dir that match a pattern, in which ** stands for any number of directories.
func (r *rooted) set(dir, pattern string) (cty.Value, error) {
	base, err := r.inside(dir)
	if err != nil {
		return cty.NilVal, err
	}
	want := strings.Split(path.Clean(pattern), "/")
	for _, w := range want {
		if _, err := path.Match(w, ""); err != nil {
			return cty.NilVal, errors.New("the pattern is not valid")
		}
	}
	var found []string
	walked := 0
	err = fs.WalkDir(r.root.FS(), filepath.ToSlash(base), func(p string, d fs.DirEntry, err error) error {
		if walked++; walked > maxWalked {
			return errors.New("there are more than 100,000 files")
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel := p
		if base != "." {
			rel = strings.TrimPrefix(p, filepath.ToSlash(base)+"/")
		}
		if len(want) <= 64 && matchPath(want, strings.Split(rel, "/")) && d.Type().IsRegular() {
			found = append(found, rel)
		}
		return nil
	})
	if err != nil {
		return cty.NilVal, r.explain(base, err)
	}
	if len(found) > maxElements {
		return cty.NilVal, errors.New("more than 10,000 files match")
	}
	slices.Sort(found)
	r.note("fileset "+base+" "+pattern, strings.Join(found, "\n"))
	if len(found) == 0 {
		return cty.SetValEmpty(cty.String), nil
	}
	vals := make([]cty.Value, len(found))
	for i, f := range found {
		vals[i] = cty.StringVal(f)
	}
	return cty.SetVal(vals), nil
}

// matchPath matches segments, with ** for any number of them. It is a dynamic program over both lists: the
// plain recursion takes exponential time for a pattern of many **.
func matchPath(want, have []string) bool {
	row := make([]bool, len(have)+1)
	row[0] = true
	for _, w := range want {
		next := make([]bool, len(have)+1)
		if w == "**" {
			next[0] = row[0]
		}
		for i, h := range have {
			if w == "**" {
				next[i+1] = row[i+1] || next[i]
				continue
			}
			ok, _ := path.Match(w, h) // patterns were checked
			next[i+1] = row[i] && ok
		}
		row = next
	}
	return row[len(have)]
}

// templateFuncs adds templatefile and templatestring. Inside of a template they are not there: templates
// that include each other could not be bounded.
func (c *Config) templateFuncs(all map[string]function.Function) {
	inner := map[string]function.Function{}
	for name, f := range all {
		inner[name] = f
	}
	vars := function.Parameter{Name: "vars", Type: cty.DynamicPseudoType}
	str := func(n string) function.Parameter { return function.Parameter{Name: n, Type: cty.String} }
	all["templatefile"] = c.meter.metered("templatefile", function.New(&function.Spec{
		Params: []function.Parameter{str("path"), vars}, Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			src, err := c.root.file(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			if _, err := fileText(src); err != nil {
				return cty.UnknownVal(cty.String), err
			}
			p, _ := c.root.inside(args[0].AsString())
			return c.render(src, c.root.name(p), args[1], inner)
		},
	}))
	all["templatestring"] = c.meter.metered("templatestring", function.New(&function.Spec{
		Params: []function.Parameter{str("template"), vars}, Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return c.render([]byte(args[0].AsString()), "<template>", args[1], inner)
		},
	}))
}

// render evaluates a template with the given variables. Marks were taken off the arguments and go back on
// the result.
func (c *Config) render(src []byte, file string, vars cty.Value, funcs map[string]function.Function) (cty.Value, error) {
	unknown := cty.UnknownVal(cty.String)
	if err := c.meter.make(8 * int64(len(src))); err != nil { // parsing takes time and memory in proportion
		return unknown, err
	}
	if !vars.Type().IsObjectType() && !vars.Type().IsMapType() {
		return unknown, function.NewArgErrorf(1, "the variables are a map")
	}
	e, refused, ds := c.meter.parseTemplate(src, file, hcl.InitialPos)
	if refused != nil {
		return unknown, errors.New(file + ": " + strings.TrimSuffix(refused.detail, "."))
	}
	if ds.HasErrors() {
		return unknown, templateError(ds)
	}
	ctx := &hcl.EvalContext{Variables: vars.AsValueMap(), Functions: funcs}
	v, ds := e.Value(ctx)
	if c.meter.spent != nil {
		return unknown, c.meter.spent
	}
	if ds.HasErrors() {
		return unknown, templateError(ds)
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return unknown, errors.New(file + ": the template's result is not a string")
	}
	if s.IsNull() {
		return unknown, errors.New(file + ": the template's result is null")
	}
	return s, nil
}

func templateError(ds hcl.Diagnostics) error {
	d := ds[0]
	where := ""
	if d.Subject != nil {
		where = rangeOf(*d.Subject).String() + ": "
	}
	return errors.New(where + d.Summary + "; " + strings.TrimSuffix(d.Detail, "."))
}
