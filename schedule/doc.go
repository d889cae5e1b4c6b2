// Package schedule decides which replica stands on which host, and says why not elsewhere.
//
// Place is a pure function: equal inputs give equal bytes, in whatever order their slices and maps
// were filled, and nothing handed in is changed. It knows no clock, no network and no engine.
//
// It works in four strokes. What must be left alone is taken over as it is (freeze.go). What stands
// and may go on standing is kept (keep.go), so that nothing moves without a reason. The rest is
// placed, the most constrained workload first (fill.go): hosts pass through the filters (filter.go)
// and the one that keeps the spread even is taken (spread.go). What no host takes is explained, with
// counts (explain.go).
//
// Within one workload all replicas ask for the same, and placing only ever uses hosts up. So a host
// that has refused one replica refuses all later ones, and a workload of n replicas on h hosts costs
// h + n log h, not n * h.
//
// Scaling down removes the highest slots, whatever that does to the spread: which replica goes can
// then be read off the configuration, and growing again brings back the same addresses.
package schedule
