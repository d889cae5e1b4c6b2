// Package diag holds messages for people: what is wrong, where, what was seen and what to type.
//
// Configuration mistakes are diagnostics from the start. Errors of the world (a host that does not
// answer) travel as Go errors and are turned into diagnostics where they are shown. The package
// imports the standard library only, prints nothing and is safe for concurrent use.
package diag
