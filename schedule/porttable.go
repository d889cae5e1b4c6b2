package schedule

import (
	"math/bits"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// autoPorts is how many automatic ports there are.
const autoPorts = fleet.AutoPortLast - fleet.AutoPortFirst + 1

// portSet is a set of automatic ports of one protocol: 1.25 KiB, and the lowest that is in none of several is found 64
// at a time.
type portSet [(autoPorts + 63) / 64]uint64

// portSets is a set of automatic ports, by protocol. Other ports are never in it.
type portSets []*portSet

func (s portSets) of(protocol int16) *portSet {
	if int(protocol) < len(s) {
		return s[protocol]
	}
	return nil
}

func isAuto(n uint16) bool { return n >= fleet.AutoPortFirst && n <= fleet.AutoPortLast }

func (s portSets) has(k portKey) bool {
	b := s.of(k.protocol)
	if b == nil || !isAuto(k.number) {
		return false
	}
	i := k.number - fleet.AutoPortFirst
	return b[i/64]>>(i%64)&1 == 1
}

func (s *portSets) add(k portKey) {
	if !isAuto(k.number) {
		return
	}
	for len(*s) <= int(k.protocol) {
		*s = append(*s, nil)
	}
	if (*s)[k.protocol] == nil {
		(*s)[k.protocol] = &portSet{}
	}
	i := k.number - fleet.AutoPortFirst
	(*s)[k.protocol][i/64] |= 1 << (i % 64)
}

func (s portSets) remove(k portKey) {
	if !s.has(k) {
		return
	}
	i := k.number - fleet.AutoPortFirst
	s[k.protocol][i/64] &^= 1 << (i % 64)
}

// bound is a port that is taken on an address.
type bound struct {
	portKey
	bind  string // empty: all
	work  *work  // nil: a stranger's, or a stray's
	seat  *seat
	stray fleet.ReplicaID
}

// portTable is the state of one host's ports. An automatic port that a replica has on all addresses, which is what nearly
// all have, is two bits; who has it is looked up among the host's residents when somebody asks. All else is in a list.
type portTable struct {
	whole    portSets // taken on all addresses by a replica of a declared workload
	busy     portSets // taken on any address
	recorded portSets // of anything of ours that stands there, to go or to stay
	listed   []bound
}

// brief reports whether two bits say all of a bound port.
func (b *bound) brief() bool { return b.work != nil && b.bind == "" && isAuto(b.number) }

func (t *portTable) take(b bound) {
	t.busy.add(b.portKey)
	if b.brief() {
		t.whole.add(b.portKey)
		return
	}
	t.listed = append(t.listed, b)
}

func (t *portTable) release(b bound) {
	if b.brief() {
		t.whole.remove(b.portKey)
	} else if i := slices.Index(t.listed, b); i >= 0 {
		t.listed = slices.Delete(t.listed, i, i+1)
	}
	if !t.whole.has(b.portKey) && !slices.ContainsFunc(t.listed, func(o bound) bool { return o.portKey == b.portKey }) {
		t.busy.remove(b.portKey)
	}
}

// conflicts reports whether a port is taken on an address that overlaps with bind.
func (t *portTable) conflicts(k portKey, bind string) bool {
	if t.whole.has(k) {
		return true
	}
	for i := range t.listed {
		if t.listed[i].clashes(k, bind) {
			return true
		}
	}
	return false
}

func (b *bound) clashes(k portKey, bind string) bool {
	return b.portKey == k && (b.bind == bind || b.bind == "" || bind == "")
}

// auto returns the nth (from 0) lowest free automatic port; 0: there are not that many. A port that is
// taken on any address is not given out on another: people read numbers, not pairs.
func (t *portTable) auto(fixed *portSet, protocol int16, n int) uint16 {
	busy, recorded := t.busy.of(protocol), t.recorded.of(protocol)
	for i := range len(portSet{}) {
		free := ^uint64(0)
		for _, s := range [...]*portSet{fixed, busy, recorded} {
			if s != nil {
				free &^= s[i]
			}
		}
		if i == autoPorts/64 {
			free &= 1<<(autoPorts%64) - 1
		}
		if c := bits.OnesCount64(free); n >= c {
			n -= c
			continue
		}
		for ; n > 0; n-- {
			free &= free - 1
		}
		return fleet.AutoPortFirst + uint16(i*64+bits.TrailingZeros64(free))
	}
	return 0
}
