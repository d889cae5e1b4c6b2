package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"

	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// digest is over all that determines the fleet: what was read, the answers to other questions about files,
// the variables, and the fleet itself, which takes in what came from elsewhere (the environment, commands,
// the directory where a path was made absolute). Sensitive values enter by their fingerprints.
func (e *evaluation) digest() string {
	h := sha256.New()
	field(h, "stowage config digest 1")
	r := e.c.root
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range slices.Sorted(maps.Keys(r.read)) {
		field(h, "file", p, string(r.read[p]))
	}
	for _, q := range slices.Sorted(maps.Keys(r.asked)) {
		field(h, "asked", q, r.asked[q])
	}
	for _, name := range e.c.varNames() {
		v, _ := e.c.varVals[name].UnmarkDeep()
		b, err := ctyjson.Marshal(v, v.Type())
		if err != nil {
			panic("config: a variable's value does not encode: " + err.Error()) // values of variables are known
		}
		s := string(b)
		if e.c.varVals[name].ContainsMarked() {
			s = string(e.sealer(s))
		}
		field(h, "variable", name, s)
	}
	b, err := json.Marshal(e.out.Fleet)
	if err != nil {
		panic("config: the fleet does not encode: " + err.Error())
	}
	field(h, "fleet", string(b))
	for _, name := range slices.Sorted(maps.Keys(e.out.Revealed)) {
		field(h, "output", name, string(e.sealer(string(e.out.Revealed[name]))))
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// field writes strings with their lengths, so that no two lists of fields give the same bytes.
func field(h hash.Hash, fields ...string) {
	for _, f := range fields {
		fmt.Fprintf(h, "%d:%s", len(f), f)
	}
	h.Write([]byte{'\n'})
}
