// Package plan compares the desired fleet with what is recorded and what is observed, and returns the
// ordered steps from one to the other.
//
// It is pure: the clock, identifiers, observations and placements come in as values, inputs are never
// changed, and equal inputs give equal bytes. A plan is the whole program: apply decides nothing, so
// all that a step needs to be carried out stands in the step.
//
// What is compared is the spec last sent with the spec now wanted, never an engine's echo of it. What
// an engine says is compared only with what we set ourselves: that is drift.
//
// Read match.go first (which container fills which slot), then slot.go (what becomes of each slot), drift.go and
// compare.go (why), build.go and emit.go (the steps and what they wait for) and builder.go (their order). What
// images stand for is decided before, in images.go and pin.go; saved.go and check.go are about plans in files.
package plan
