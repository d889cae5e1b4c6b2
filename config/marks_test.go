package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
)

// calls has one call, or several, for every function of the table, with S where the sensitive value goes.
func calls() map[string][]string {
	return map[string][]string{
		"abs": {"abs(N)"}, "ceil": {"ceil(N)"}, "floor": {"floor(N)"}, "log": {"log(N, 10)", "log(10, N)"}, "max": {"max(1, N)"}, "min": {"min(N, 1)"},
		"parseint": {"parseint(S, 36)"}, "pow": {"pow(N, 2)", "pow(2, N)"}, "signum": {"signum(N)"},
		"chomp": {"chomp(S)"}, "format": {`format("%s", S)`, `format(S)`}, "formatlist": {`formatlist("%s", [S])`, `formatlist(S, ["x"])`}, "indent": {"indent(2, S)", `indent(N, "a")`},
		"join": {`join(",", [S, "x"])`, `join(S, ["a", "b"])`}, "lower": {"lower(S)"}, "regex": {`regex(".*", S)`, `regex(S, "secret")`}, "regexall": {`regexall("s", S)`},
		"split": {`split("c", S)`, `split(S, "a")`}, "strrev": {"strrev(S)"}, "substr": {"substr(S, 0, 2)", `substr("abcdefghi", N, 1)`}, "title": {"title(S)"},
		"trim": {`trim(S, "s")`, `trim("ss", S)`}, "trimprefix": {`trimprefix(S, "s")`}, "trimsuffix": {`trimsuffix(S, "t")`}, "trimspace": {"trimspace(S)"}, "upper": {"upper(S)"},
		"startswith": {`startswith(S, "s")`}, "endswith": {`endswith(S, "s")`}, "strcontains": {`strcontains(S, "s")`}, "replace": {`replace(S, "s", "x")`, `replace("a", "a", S)`, `replace("s", S, "x")`},
		"chunklist": {"chunklist([S], 1)"}, "coalesce": {`coalesce("", S)`, `coalesce(S, "x")`}, "coalescelist": {"coalescelist([], [S])", "coalescelist(L)"},
		"compact": {`compact([S, ""])`}, "concat": {`concat([S], ["x"])`, "concat(L, [1])"}, "contains": {`contains([S], "x")`, `contains(["x"], S)`}, "distinct": {"distinct([S, S])"},
		"element": {"element([S], 0)", "element(L, 0)", `element(["a", "b"], N)`}, "flatten": {"flatten([[S]])"}, "keys": {"keys({(S) = 1})", "keys(M)"},
		"merge": {"merge({a = S}, {b = 1})", "merge(M, {})"}, "range": {"range(N)"}, "reverse": {"reverse([S])"}, "setintersection": {"setintersection([S], [S])"},
		"setproduct": {"setproduct([S], [1])"}, "setsubtract": {`setsubtract([S], ["x"])`}, "setunion": {`setunion([S], ["x"])`}, "slice": {"slice([S], 0, 1)"},
		"sort": {"sort([S])"}, "values": {"values({a = S})", "values(M)"}, "zipmap": {`zipmap(["a"], [S])`, "zipmap([S], [1])"},
		"alltrue": {"alltrue([B])"}, "anytrue": {"anytrue([B])"}, "index": {`index([S, "x"], "x")`, `index(["a", "secret"], S)`}, "length": {"length(S)", "length(L)"},
		"lookup": {`lookup({a = S}, "a")`, `lookup({}, "a", S)`, `lookup({secret = 1}, S)`}, "matchkeys": {`matchkeys([S], ["a"], ["a"])`, `matchkeys(["a"], [S], ["secret"])`}, "one": {"one([S])"},
		"sum": {"sum([N, 1])"}, "transpose": {`transpose({a = [S]})`},
		"jsonencode": {"jsonencode({a = S})"}, "jsondecode": {`jsondecode("\"${S}\"")`}, "csvdecode": {`csvdecode("a\n${S}")`}, "base64encode": {"base64encode(S)"}, "base64decode": {"base64decode(base64encode(S))"},
		"urlencode": {"urlencode(S)"}, "urldecode": {"urldecode(S)"}, "md5": {"md5(S)"}, "sha1": {"sha1(S)"}, "sha256": {"sha256(S)"}, "sha512": {"sha512(S)"},
		"base64sha256": {"base64sha256(S)"}, "base64sha512": {"base64sha512(S)"}, "uuidv5": {`uuidv5("dns", S)`}, "uuid": {"uuid(S)"}, "bcrypt": {"bcrypt(S)"}, "yamlencode": {"yamlencode(S)"}, "yamldecode": {"yamldecode(S)"},
		"formatdate": {`formatdate(S, "2026-01-02T15:04:05Z")`}, "timeadd": {`timeadd("2026-01-02T15:04:05Z", S)`}, "timecmp": {`timecmp(S, "2026-01-02T15:04:05Z")`}, "timestamp": {"timestamp(S)"}, "plantimestamp": {"plantimestamp(S)"},
		"tostring": {"tostring(N)", "tostring(S)"}, "tonumber": {"tonumber(S)", "tonumber(N)"}, "tobool": {"tobool(B)", "tobool(S)"}, "tolist": {"tolist([S])", "tolist(L)"}, "toset": {"toset([S])"}, "tomap": {"tomap({a = S})", "tomap(M)"},
		"sensitive": {"sensitive(S)"},
		"cidrhost":  {`cidrhost("10.0.0.0/8", N)`, `cidrhost(S, 1)`}, "cidrnetmask": {"cidrnetmask(S)"}, "cidrsubnet": {`cidrsubnet("10.0.0.0/8", 8, N)`}, "cidrsubnets": {`cidrsubnets("10.0.0.0/8", N)`}, "cidrcontains": {`cidrcontains("10.0.0.0/8", S)`},
		"file": {"file(F)", "file(S)"}, "filebase64": {"filebase64(F)"}, "filemd5": {"filemd5(F)"}, "filesha1": {"filesha1(F)"}, "filesha256": {"filesha256(F)"}, "filesha512": {"filesha512(F)"},
		"filebase64sha256": {"filebase64sha256(F)"}, "filebase64sha512": {"filebase64sha512(F)"}, "basename": {"basename(S)"}, "dirname": {"dirname(S)"}, "abspath": {"abspath(S)"}, "pathexpand": {"pathexpand(S)"},
		"fileexists": {"fileexists(F)"}, "fileset": {`fileset(".", F)`}, "templatefile": {`templatefile("t.tmpl", {v = S})`, `templatefile(F, {v = 1})`}, "templatestring": {`templatestring("x-$${v}", {v = S})`},
		"try": {`try(S, "x")`, `try(nothing.x, S)`},
	}
}

// unmarking are the functions that may say something about a sensitive value openly: by their purpose.
func unmarking() []string { return []string{"nonsensitive", "issensitive", "can"} }

func TestMarksFollowThroughEveryFunction(t *testing.T) {
	c, diags := Load(t.Context(), testInputs(inDir(t, map[string]string{"stowage.hcl": "", "t.tmpl": "x-${v}", "secret": "s"})))
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	table := calls()
	for name := range c.funcs {
		if table[name] == nil && !slices.Contains(unmarking(), name) && !strings.HasPrefix(name, askedAs("")) {
			t.Errorf("no call of %s is tried", name)
		}
	}
	s := func(v cty.Value) cty.Value { return v.Mark(sensitiveMark) }
	scope := &hcl.EvalContext{Functions: c.funcs, Variables: map[string]cty.Value{
		"S": s(cty.StringVal("secret")), "N": s(cty.NumberIntVal(4)), "B": s(cty.True), "F": s(cty.StringVal("secret")),
		"L": s(cty.ListVal([]cty.Value{cty.StringVal("secret")})), "M": s(cty.MapVal(map[string]cty.Value{"secret": cty.StringVal("secret")})),
	}}
	worked := map[string]bool{}
	for name, exprs := range table {
		for _, src := range exprs {
			c.meter.start(t.Context())
			e, ds := hclsyntax.ParseExpression([]byte(src), "x", hcl.InitialPos)
			if ds.HasErrors() {
				t.Fatalf("%s: %v", src, ds)
			}
			e, _ = c.meter.guarded(e)
			v, ds := e.Value(scope)
			if ds.HasErrors() {
				for _, d := range fromHCL(ds, diag.CodeEvaluate, "") {
					if strings.Contains(d.Detail, "secret") && !strings.Contains(d.Detail, "nothing") {
						t.Errorf("%s: the message shows the value: %s", src, d.Detail)
					}
				}
				continue
			}
			worked[name] = true
			if !v.ContainsMarked() {
				t.Errorf("%s: the result %#v is not sensitive", src, v)
			}
		}
	}
	for name := range table {
		if !worked[name] && !slices.Contains(words("uuid bcrypt yamlencode yamldecode timestamp plantimestamp formatdate timeadd timecmp cidrcontains cidrnetmask"), name) {
			t.Errorf("no call of %s worked, so nothing is known of it", name)
		}
	}
}

func TestMarksFollowThroughExpressions(t *testing.T) {
	for _, src := range []string{
		`"a${var.s}"`, `[for x in [var.s] : x]`, `{ for k in [var.s] : "k" => k }`, `var.s == "x"`, `var.s != "" ? 1 : 2`, `[var.s][0]`,
		`{ a = var.s }.a`, `[{ a = var.s }][*].a`, `"%{if var.s == "x"}a%{else}b%{endif}"`, `"%{for c in [var.s]}${c}%{endfor}"`,
		`!(var.s == "x")`, `var.s == "x" && true`, `{ (var.s) = 1 }`, `[for i, x in [1, 2] : i if var.s != ""]`,
	} {
		_, diags := evaluateText(t, "variable \"s\" {\n sensitive = true\n default = \"hunter2!\"\n}\noutput \"o\" {\n value = "+src+"\n}\n")
		if len(diags) != 1 || diags[0].Code != diag.CodeSensitive {
			t.Errorf("%s: got %v, want one %s", src, diags, diag.CodeSensitive)
		}
	}
}
