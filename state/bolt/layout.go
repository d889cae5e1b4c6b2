package bolt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/stowage-run/stowage/state"
)

// The file has three buckets:
//
//	head     one record, "head"
//	records  key -> checksum, serial, value
//	gone     serial and key of what was deleted -> checksum; the latest only, for watches
//
// Numbers are big-endian. The checksums cover the keys, and the head has their number and sum: a page that
// comes back in an older version, or elements that vanish from one, are found as a flipped bit is.
const (
	bucketHead    = "head"
	bucketRecords = "records"
	bucketGone    = "gone"
	keyHead       = "head"
)

// format is the version of the layout. A later one keeps the bucket head first in the order of names but for gone, so
// that its version is seen before what is new.
const format = 1

// head is what is known of the file as a whole.
type head struct {
	serial state.Serial
	epoch  state.Epoch
	floor  state.Serial // deletions up to here are no longer in gone
	count  uint64       // of records
	gone   uint64       // of deletions
	sum    uint64       // of the checksums of both, modulo 2^64
}

const headSize = 1 + 6*8 + 4

func (h head) encode() []byte {
	b := make([]byte, 1, headSize)
	b[0] = format
	for _, n := range []uint64{uint64(h.serial), uint64(h.epoch), uint64(h.floor), h.count, h.gone, h.sum} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return binary.BigEndian.AppendUint32(b, crc(b))
}

// decodeHead reads a head. A head of another version is only known by its first byte.
func decodeHead(b []byte) (h head, err error) {
	if len(b) == 0 {
		return h, fmt.Errorf("no head")
	}
	if b[0] > format && crc(b[:len(b)-4]) == binary.BigEndian.Uint32(b[max(0, len(b)-4):]) {
		return h, fmt.Errorf("layout %d, this one reads up to %d: %w", b[0], format, state.ErrNewer)
	}
	if len(b) != headSize || b[0] != format || crc(b[:headSize-4]) != binary.BigEndian.Uint32(b[headSize-4:]) {
		return h, fmt.Errorf("the head's checksum is wrong")
	}
	at := func(i int) uint64 { return binary.BigEndian.Uint64(b[1+8*i:]) }
	return head{state.Serial(at(0)), state.Epoch(at(1)), state.Serial(at(2)), at(3), at(4), at(5)}, nil
}

// crc sums the parts as one.
func crc(parts ...[]byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	var sum uint32
	for _, p := range parts {
		sum = crc32.Update(sum, table, p)
	}
	return sum
}

// recordSize is the least size of a stored record.
const recordSize = 4 + 8

// encodeRecord makes the stored value of a record.
func encodeRecord(key []byte, serial state.Serial, value []byte) []byte {
	b := make([]byte, recordSize, recordSize+len(value))
	binary.BigEndian.PutUint64(b[4:], uint64(serial))
	b = append(b, value...)
	binary.BigEndian.PutUint32(b, crc(key, b[4:]))
	return b
}

// decodeRecord checks a stored record and splits it; value is part of b.
func decodeRecord(key, b []byte) (serial state.Serial, value []byte, err error) {
	if len(b) < recordSize {
		return 0, nil, fmt.Errorf("record %.80q has %d bytes", key, len(b))
	}
	if got, want := crc(key, b[4:]), stored(b); got != want {
		return 0, nil, fmt.Errorf("record %.80q: checksum %08x, recorded %08x", key, got, want)
	}
	return state.Serial(binary.BigEndian.Uint64(b[4:])), b[recordSize:], nil
}

// stored returns the checksum that stands in a stored record or deletion.
func stored(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// goneKey is the key of a deletion.
func goneKey(serial state.Serial, key state.Key) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(serial)), key...)
}

// encodeGone makes the stored value of a deletion.
func encodeGone(key []byte) []byte { return binary.BigEndian.AppendUint32(nil, crc(key)) }

// decodeGone checks a deletion and splits its key.
func decodeGone(key, b []byte) (serial state.Serial, k state.Key, err error) {
	if len(key) < 8 || len(b) != 4 || stored(b) != crc(key) {
		return 0, "", fmt.Errorf("the note of a deletion has a wrong checksum")
	}
	return state.Serial(binary.BigEndian.Uint64(key)), state.Key(key[8:]), nil
}
