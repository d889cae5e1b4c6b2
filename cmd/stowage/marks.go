package main

import (
	"strings"

	"github.com/stowage-run/stowage/plan"
)

// Colours in a plan's text are first written as marks from a private use area of Unicode, which cleaning leaves alone, and
// become escape sequences afterwards. A mark that came from outside can therefore colour text, and do nothing else.
const (
	markAdd    = '\uf0a1'
	markRemove = '\uf0a2'
	markChange = '\uf0a3'
	markBold   = '\uf0a4'
	markDim    = '\uf0a5'
	markEnd    = '\uf0af'
)

// markedStyle writes marks in place of colours.
func markedStyle() plan.Style {
	mark := func(r rune) func(string) string {
		return func(s string) string { return string(r) + s + string(markEnd) }
	}
	return plan.Style{Add: mark(markAdd), Remove: mark(markRemove), Change: mark(markChange), Bold: mark(markBold), Dim: mark(markDim)}
}

// recolor turns marks into escape sequences.
func recolor(s string) string {
	return strings.NewReplacer(
		string(markAdd), "\x1b[32m", string(markRemove), "\x1b[31m", string(markChange), "\x1b[33m",
		string(markBold), "\x1b[1m", string(markDim), "\x1b[2m", string(markEnd), "\x1b[0m").Replace(s)
}
