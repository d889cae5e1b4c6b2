package fleet

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Revision is the digest of the spec that a replica runs, with the version of the digest rule in front:
// "v1:<64 hex digits>". Revisions of different rules are never compared as different specs.
type Revision string

// Digest returns the revision of a spec by the current rule: SHA-256 over its JSON, in which zero fields
// are left out and maps are sorted, with the image reduced to its reference and pin. A field added to
// Spec therefore changes no revision until somebody sets it.
func (s Spec) Digest() Revision {
	s.Image = Image{Ref: s.Image.Ref, Digest: s.Image.Pin()}
	b, err := json.Marshal(s)
	if err != nil {
		panic("fleet: spec does not encode: " + err.Error()) // strings, numbers and maps of them always do
	}
	sum := sha256.Sum256(b)
	return Revision("v1:" + hex.EncodeToString(sum[:]))
}

// Short is the revision as people see it: the first 12 digits.
func (r Revision) Short() string {
	s := string(r)
	if len(s) > 3+12 {
		return s[3 : 3+12]
	}
	return s
}

// Seal returns the fingerprint of a secret value under key. The key keeps short secrets from being
// guessed out of a fingerprint that leaks.
func Seal(key []byte, value string) Fingerprint {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(value))
	return Fingerprint("hmac-sha256:" + hex.EncodeToString(m.Sum(nil)))
}
