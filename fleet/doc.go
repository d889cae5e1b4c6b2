// Package fleet is the vocabulary of Stowage: the names, hosts, workloads, replicas, placements and
// observations that every other package speaks of.
//
// It imports the standard library only. Its values are plain data: they may be copied, compared with
// go-cmp, encoded as JSON and sent across a process border. Slices and maps inside them are shared
// by copies and are never changed once a value has been handed on; who needs another value makes one.
package fleet
