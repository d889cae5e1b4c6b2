// Package sim lets the whole of Stowage below its command live through years of bad luck: a fleet in memory, a virtual clock, changes
// of mind, and faults at every moment, all of which follow from one number. A watcher that shares no decision with the product
// checks the invariants of DESIGN.md at each call and each record.
//
// A seed replays exactly. Every call takes a time of its own, in nanoseconds, that follows from the seed and the call's name; so no
// two goroutines are ever awake for different reasons at one moment, and what happens is one sequence. It has to run in a bubble of
// testing/synctest, in which that time costs nothing.
package sim
