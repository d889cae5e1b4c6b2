// Package config turns the HCL files of one directory into the fleet that they ask for.
//
// Load reads and checks the files and gives the variables their values; Evaluate computes the rest and
// returns a fleet.Fleet. All that comes from outside (environment, flags, prompts, commands) enters through
// Inputs, so equal inputs give equal fleets, byte for byte. A mistake of the author is a diag.Diagnostic
// with the range of the offending token.
//
// Hostile files are expected. The way in is: a byte scan that bounds nesting and size (scan.go), a check of
// HCL's own tokens against what its recursive parser can bear (tokens.go), and, during evaluation, a meter
// that stands in front of every subexpression and function (meter.go, guard.go). HCL's parser overflows the
// stack beyond recovery on deep nesting, so nothing reaches it unscanned; see parse.go.
//
// It is the only package that knows HCL.
package config
