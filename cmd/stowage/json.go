package main

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
)

// writeJSON writes a value for programs, indented for the people who look at it all the same.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// sortedKeys returns a map's keys in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
