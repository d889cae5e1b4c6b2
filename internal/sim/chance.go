package sim

import (
	"hash/fnv"
	"time"
)

// chance answers questions from a seed. The answer depends on the question alone and not on when it is asked, so that goroutines
// that ask at one moment get the same answers in any order.
type chance uint64

func (c chance) hash(question string) uint64 {
	h := fnv.New64a()
	var b [8]byte
	for i := range b {
		b[i] = byte(c >> (8 * i))
	}
	_, _ = h.Write(b[:])
	_, _ = h.Write([]byte(question))
	// FNV's high bits depend little on the last bytes; this is the finish of MurmurHash3.
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// part is a number from 0 to 1.
func (c chance) part(question string) float64 { return float64(c.hash(question)>>11) / (1 << 53) }

// upTo is a number from 0 to n-1.
func (c chance) upTo(n int, question string) int { return int(c.hash(question) % uint64(n)) }

// between is a duration, to the nanosecond.
func (c chance) between(low, high time.Duration, question string) time.Duration {
	return low + time.Duration(c.hash(question)%uint64(high-low))
}
