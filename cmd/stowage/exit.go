package main

import "fmt"

// The exit codes, as `stowage help` documents them.
const (
	exitOK          = 0
	exitError       = 1
	exitChanges     = 2 // plan -detailed-exitcode: there are changes
	exitUnformatted = 3 // fmt -check: files need formatting
	exitPartly      = 3 // apply: partly applied, debt recorded
	exitTakenBack   = 4 // apply: a health gate failed, and what it was for was taken back
	exitLocked      = 5 // the lock is held by somebody else
)

// exitStatus ends a command with a status. What there is to say has been said already.
type exitStatus int

// Error is for completeness: nothing prints it.
func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
