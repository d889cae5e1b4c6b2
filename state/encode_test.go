package state

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// FuzzBody gets past the checksum, which a fuzzer does not find by itself.
func FuzzBody(f *testing.F) {
	f.Add("replica/web/0000000001", packReplica(Replica{HostPorts: map[string]uint16{"a": 1}}))
	f.Add("host/a", []byte(`{"host":{"name":"a"}}`))
	f.Add("release/0000000001", []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, key string, body []byte) {
		_, err := Decode(Record{Key: Key(key), Value: seal(Key(key), body)})
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("got error %v, want ErrDamaged", err)
		}
	})
}

func TestVersions(t *testing.T) {
	v := seal("host/a", []byte(`{"host":{"name":"a"},"a_later_field":1}`))
	if _, err := Decode(Record{Key: "host/a", Value: v}); err != nil {
		t.Errorf("an unknown field: %v", err)
	}
	v[0] = version + 1
	sum := checksum("host/a", v)
	copy(v[1:5], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	if _, err := Decode(Record{Key: "host/a", Value: v}); !errors.Is(err, ErrNewer) || errors.Is(err, ErrDamaged) {
		t.Errorf("a later version: got error %v, want ErrNewer", err)
	}
}

func TestPackReplica(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.String()
		number := rapid.IntRange(-1<<31, 1<<31)
		want := Replica{
			Replica:    fleet.ReplicaID{Workload: fleet.WorkloadName(text.Draw(r, "workload")), Slot: fleet.Slot(number.Draw(r, "slot"))},
			Generation: fleet.Generation(number.Draw(r, "generation")),
			Host:       fleet.HostName(text.Draw(r, "host")), Container: text.Draw(r, "container"),
			Revision: fleet.Revision(text.Draw(r, "revision")), Release: fleet.Release(number.Draw(r, "release")),
			Changed: time.Unix(rapid.Int64Range(-1<<36, 1<<36).Draw(r, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(r, "nanoseconds")).UTC(),
		}
		if ports := rapid.MapOf(text, rapid.Uint16()).Draw(r, "ports"); len(ports) > 0 {
			want.HostPorts = ports
		}
		if rapid.Bool().Draw(r, "more") {
			want.Reason, want.Proven = text.Draw(r, "reason"), rapid.Bool().Draw(r, "proven")
			want.Last = fleet.Generation(number.Draw(r, "last"))
		}
		if rapid.Bool().Draw(r, "of a job") {
			want.Failed = number.Draw(r, "failed")
			want.Counted = time.Unix(rapid.Int64Range(-1<<36, 1<<36).Draw(r, "counted"), rapid.Int64Range(0, 999_999_999).Draw(r, "counted nanoseconds")).UTC()
		}
		got, err := unpackReplica(packReplica(want))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			r.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	})
	zero, err := unpackReplica(packReplica(Replica{}))
	if diff := cmp.Diff(Replica{}, zero); diff != "" || err != nil {
		t.Errorf("the zero replica: error %v (-want +got):\n%s", err, diff)
	}
}
