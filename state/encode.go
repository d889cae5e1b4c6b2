package state

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// A stored value is an envelope around a body:
//
//	byte 0     the version of the body's form
//	byte 1-4   CRC-32C over key, version and body, big-endian
//	byte 5-    the body
//
// The key is part of the sum, so that a value that has come to stand under another's key is found. The
// envelope is for good; a body whose form changes in a way that an older Stowage would misread gets a
// new version. A field added to a record needs none: JSON that has more fields than the reader knows is
// read without them.
//
// Bodies are JSON, but for two: replicas, of which there are ten thousands, are packed (pack.go), and
// releases are compressed JSON, since each holds the whole fleet and must fit a transaction.
const (
	version      = 1
	envelopeSize = 5
)

// maxRelease bounds what a release's body may unpack to.
const maxRelease = 256 << 20

// seal puts a body into its envelope.
func seal(k Key, body []byte) []byte {
	v := make([]byte, envelopeSize, envelopeSize+len(body))
	v[0] = version
	v = append(v, body...)
	binary.BigEndian.PutUint32(v[1:], checksum(k, v))
	return v
}

// open takes the body out of a record's envelope. The body is part of the record's value.
func open(r Record) ([]byte, error) {
	v := r.Value
	if len(v) < envelopeSize {
		return nil, &DamagedError{Path: string(r.Key), What: fmt.Sprintf("a record of %d bytes", len(v))}
	}
	if got, want := binary.BigEndian.Uint32(v[1:]), checksum(r.Key, v); got != want {
		return nil, &DamagedError{Path: string(r.Key), What: fmt.Sprintf("checksum %08x, recorded %08x", want, got)}
	}
	switch {
	case v[0] > version:
		return nil, fmt.Errorf("%s: %w: form %d, this one reads up to %d", r.Key, ErrNewer, v[0], version)
	case v[0] == 0:
		return nil, &DamagedError{Path: string(r.Key), What: "form 0"}
	}
	return v[envelopeSize:], nil
}

// checksum sums key, version and body of the envelope v.
func checksum(k Key, v []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, []byte(k))
	sum = crc32.Update(sum, table, v[:1])
	return crc32.Update(sum, table, v[envelopeSize:])
}

// encode makes the value of a record under key k.
func encode(k Key, record any) ([]byte, error) {
	if r, ok := record.(Replica); ok {
		return seal(k, packReplica(r)), nil
	}
	body, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", k, err)
	}
	if _, ok := record.(Release); ok {
		if body, err = deflate(body); err != nil {
			return nil, fmt.Errorf("encode %s: %w", k, err)
		}
	}
	return seal(k, body), nil
}

// decode reads a record whose body is JSON.
func decode[T any](r Record) (v T, err error) {
	body, err := open(r)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, &DamagedError{Path: string(r.Key), What: err.Error()}
	}
	return v, nil
}

// decodeReplica reads a replica.
func decodeReplica(r Record) (Replica, error) {
	body, err := open(r)
	if err != nil {
		return Replica{}, err
	}
	v, err := unpackReplica(body)
	if err != nil {
		return v, &DamagedError{Path: string(r.Key), What: err.Error()}
	}
	return v, nil
}

// decodeRelease reads a release.
func decodeRelease(r Record) (v Release, err error) {
	body, err := open(r)
	if err != nil {
		return v, err
	}
	body, err = inflate(body)
	if err == nil {
		err = json.Unmarshal(body, &v)
	}
	if err != nil {
		return v, &DamagedError{Path: string(r.Key), What: err.Error()}
	}
	return v, nil
}

// Decode reads any record: a Meta, Replica, Intent, ... by what its key says, and a fleet.Release for the
// number of the latest. It is for those who take records as they come: a watch, a dump. The error is a
// *DamagedError that names the key, or an ErrNewer.
func Decode(r Record) (any, error) {
	kind, _, _ := strings.Cut(string(r.Key), "/") // the checksum vouches for the rest of the key
	if _, known := partsOf(kind); !known {
		return nil, &DamagedError{Path: string(r.Key), What: "an unknown kind of record"}
	}
	switch kind {
	case kindMeta:
		return decode[Meta](r)
	case kindLatest:
		return decode[fleet.Release](r)
	case kindWorkload:
		return decode[fleet.Workload](r)
	case kindSpec:
		return decode[fleet.Spec](r)
	case kindReplica:
		return decodeReplica(r)
	case kindVolume:
		return decode[Volume](r)
	case kindNetwork:
		return decode[Network](r)
	case kindHost:
		return decode[Host](r)
	case kindIntent:
		return decode[Intent](r)
	case kindDebt:
		return decode[Debt](r)
	case kindRollout:
		return decode[Rollout](r)
	case kindOverride:
		return decode[Override](r)
	case kindOutput:
		return decode[fleet.Output](r)
	case kindRelease:
		return decodeRelease(r)
	default:
		return decode[PlanRecord](r)
	}
}

// deflate compresses.
func deflate(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// inflate is deflate's inverse.
func inflate(b []byte) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(b))
	out, err := io.ReadAll(io.LimitReader(r, maxRelease+1))
	if err != nil {
		return nil, err
	}
	if len(out) > maxRelease {
		return nil, errors.New("unpacks to more than 256 MiB")
	}
	return out, nil
}
