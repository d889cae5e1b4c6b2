package config

import (
	"errors"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/stowage-run/stowage/diag"
)

// rangeOf converts a range of HCL's. File names are made as they are shown when the files are parsed.
func rangeOf(r hcl.Range) *diag.Range {
	if r.Filename == "" {
		return nil
	}
	return &diag.Range{
		File:  r.Filename,
		Start: diag.Pos{Line: r.Start.Line, Column: r.Start.Column, Byte: r.Start.Byte},
		End:   diag.Pos{Line: r.End.Line, Column: r.End.Column, Byte: r.End.Byte},
	}
}

// problem is an error at a place; in is the block around it.
func problem(code diag.Code, summary string, at hcl.Range, in, detail, remedy string) diag.Diagnostic {
	return diag.Diagnostic{
		Code: code, Summary: summary, Detail: detail, Remedy: remedy, Subject: rangeOf(at), In: in,
	}
}

// fromHCL turns HCL's diagnostics into ours. code is for those that carry no budget of ours.
func fromHCL(ds hcl.Diagnostics, code diag.Code, in string) diag.List {
	var out diag.List
	for _, d := range ds {
		out = append(out, oneFromHCL(d, code, in))
	}
	return out
}

func oneFromHCL(d *hcl.Diagnostic, code diag.Code, in string) diag.Diagnostic {
	m := diag.Diagnostic{Code: code, Summary: d.Summary, Detail: strings.ReplaceAll(d.Detail, `"`+askedAs(""), `"fleet.`), In: in}
	if d.Severity == hcl.DiagWarning {
		m.Severity = diag.Warning
	}
	if d.Subject != nil {
		m.Subject = rangeOf(*d.Subject)
	}
	if b, ok := hcl.DiagnosticExtra[*budgetError](d); ok {
		b.told = true
		return b.diagnostic(m)
	}
	call, isCall := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	if isCall {
		var b *budgetError
		if errors.As(call.FunctionCallError(), &b) {
			b.told = true
			return b.diagnostic(m)
		}
		var called *calledError
		if errors.As(call.FunctionCallError(), &called) && !touchesSensitive(d) {
			m.Code, m.Summary, m.Detail, m.Remedy = diag.CodeReference, called.summary, called.detail, called.remedy
			return m
		}
		m.Detail = sentence(m.Detail)
		var r *remedyError
		if errors.As(call.FunctionCallError(), &r) {
			m.Remedy = r.remedy
		}
		if touchesSensitive(d) {
			m.Detail = "The call to " + strings.Replace(call.CalledFunctionName(), askedAs(""), "fleet.", 1) + " failed. What it said is withheld, since a sensitive value took part in it."
		}
	}
	return m
}

// touchesSensitive reports whether a sensitive value took part in the expression that a diagnostic is
// about: a function's error message may quote its arguments.
func touchesSensitive(d *hcl.Diagnostic) bool {
	if d.Expression == nil || d.EvalContext == nil {
		return true // cannot be excluded
	}
	for _, t := range d.Expression.Variables() {
		v, diags := t.TraverseAbs(d.EvalContext)
		if diags.HasErrors() || v.ContainsMarked() {
			return true
		}
	}
	return false
}

// scrubber removes sensitive plaintexts from messages. It is the last line of defence behind marks, for a
// value that went astray in an error text of a library.
type scrubber struct{ words []string }

// add remembers a plaintext. Texts under four bytes are not: replacing every "1" would garble all messages,
// and hide nothing from somebody who sees where the garbling is.
func (s *scrubber) add(text string) {
	if len(text) >= 4 {
		s.words = append(s.words, text)
	}
}

func (s *scrubber) clean(l diag.List) diag.List {
	if len(s.words) == 0 || len(l) == 0 {
		return l
	}
	var pairs []string
	for _, w := range s.words {
		pairs = append(pairs, w, "(sensitive)")
	}
	r := strings.NewReplacer(pairs...)
	for i := range l {
		l[i].Detail = r.Replace(l[i].Detail)
		l[i].Remedy = r.Replace(l[i].Remedy)
		l[i].In = r.Replace(l[i].In)
	}
	return l
}

// remedyError is a function's error that knows what to type instead.
type remedyError struct{ text, remedy string }

func (e *remedyError) Error() string { return e.text }

// calledError is a function's error that is a whole message.
type calledError struct{ summary, detail, remedy string }

func (e *calledError) Error() string { return e.detail }
