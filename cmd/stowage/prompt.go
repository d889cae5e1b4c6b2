package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/diag"
)

// canAsk reports whether a person may be asked: input is allowed, and a terminal or a pipe made on purpose is there.
func (a *app) canAsk() bool { return a.input && a.env("STOWAGE_IN_AUTOMATION") == "" }

// readLine reads one line from standard input. ok is false where it ends before one. It reads no byte beyond the line's end, so
// that whoever asks next finds the next line.
func (a *app) readLine() (line string, ok bool) {
	if a.lines == nil {
		a.lines = bufio.NewReader(a.in)
	}
	s, err := a.lines.ReadString('\n')
	return strings.TrimRight(s, "\r\n"), err == nil || s != ""
}

// askVariable asks for a variable that has no value.
func (a *app) askVariable(v config.Variable) (string, bool) {
	fmt.Fprintf(a.err, "%s\n", a.errColor().bold("var."+v.Name))
	if v.Description != "" {
		fmt.Fprintf(a.err, "  %s\n", v.Description)
	}
	fmt.Fprint(a.err, "\n  Enter a value: ")
	s, ok := a.readLine()
	fmt.Fprintln(a.err)
	return s, ok
}

// approve asks for consent. Only "yes" is consent.
func (a *app) approve(question, detail string) error {
	if !a.canAsk() {
		return diag.Diagnostic{Code: diag.CodeNotApproved, Summary: "Nobody can be asked for approval",
			Detail: "Input is not allowed here, and the plan was not approved beforehand.",
			Remedy: "stowage apply -auto-approve\nstowage plan -out=FILE, then stowage apply FILE", Affected: "Nothing was changed."}
	}
	c := a.color()
	fmt.Fprintf(a.out, "\n%s\n  %s\n  Only 'yes' will be accepted to approve.\n\n  %s ", c.bold(question), detail, c.bold("Enter a value:"))
	answer, _ := a.readLine()
	fmt.Fprintln(a.out)
	if strings.TrimSpace(answer) != "yes" {
		return diag.Diagnostic{Code: diag.CodeNotApproved, Summary: "Not approved",
			Detail: "Only 'yes' is taken as approval.", Affected: "Nothing was changed."}
	}
	return nil
}
