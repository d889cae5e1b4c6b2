package diag

import (
	"errors"
	"strconv"
	"strings"
)

// Severity is how bad a diagnostic is.
type Severity int

// The severities. An error stops the command; a warning does not.
const (
	Error Severity = iota
	Warning
)

// String returns the word that begins the message.
func (s Severity) String() string {
	if s == Warning {
		return "Warning"
	}
	return "Error"
}

// Code names a kind of message for good: "S0203". `stowage explain S0203` tells more.
type Code string

// Diagnostic is one message.
//
// Summary is a short fixed phrase, in sentence case and without a full stop, so that people learn to
// skim it; names go in it only where the object is the message (Host "web2" refused the SSH key).
// Detail says what was seen and why it is a problem, in full sentences. Remedy is what to type, one
// command or change a line. No field may hold a secret value. Text from outside is allowed anywhere:
// rendering strips control sequences.
type Diagnostic struct {
	Severity Severity
	Code     Code
	Summary  string
	Detail   string
	Remedy   string
	Subject  *Range // where in the configuration; nil: nowhere
	In       string // the block around the subject: `host "web2"`
	Affected string // how many hosts, and whether anything was changed: "1 of 3 hosts affected; nothing was changed."
}

// Error returns the message on one line, so that a Diagnostic can travel as an error.
func (d Diagnostic) Error() string {
	s := d.Summary
	if d.Subject != nil {
		s = d.Subject.String() + ": " + s
	}
	if d.Detail != "" {
		s += ": " + strings.Join(strings.Fields(d.Detail), " ")
	}
	return s
}

// Pos is a position in a file. Line and Column count from 1, Byte from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Range is a stretch of a configuration file.
type Range struct {
	File       string // as it should be shown: relative to the configuration's directory
	Start, End Pos
}

// String returns file:line,column.
func (r Range) String() string {
	return r.File + ":" + strconv.Itoa(r.Start.Line) + "," + strconv.Itoa(r.Start.Column)
}

// List is any number of diagnostics; nil is none.
type List []Diagnostic

// HasErrors reports whether any of them is an error.
func (l List) HasErrors() bool {
	for _, d := range l {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// Err returns the list as one error, or nil where it holds no error.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return &ListError{l}
}

// ListError carries diagnostics through code that returns an error.
type ListError struct{ List List }

// Error joins the messages, one a line.
func (e *ListError) Error() string {
	var lines []string
	for _, d := range e.List {
		lines = append(lines, d.Error())
	}
	return strings.Join(lines, "\n")
}

// From returns the diagnostics that err carries; ok is false where it carries none.
func From(err error) (l List, ok bool) {
	var le *ListError
	if errors.As(err, &le) {
		return le.List, true
	}
	var d Diagnostic
	if errors.As(err, &d) {
		return List{d}, true
	}
	return nil, false
}
