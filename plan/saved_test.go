package plan

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stowage-run/stowage/state"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

func savedPlan(t testing.TB) (*world, *Plan) {
	t.Helper()
	w := newWorld()
	for _, p := range []struct {
		parse func(string) error
		text  string
	}{
		{w.parseDesired, "host web1\nnetwork app\nworkload web replicas=3 net=app env.A=2 env.B=secret:hmac-sha256:00"},
		{w.parseRecord, "release 1\nworkload web replicas=2 env.A=1\nreplica web[0] web1 g1 c1\nreplica web[1] web1 g1 c2"},
		{w.parseObserved, "as recorded"},
	} {
		if err := p.parse(p.text); err != nil {
			t.Fatal(err)
		}
	}
	p, problems := w.plan(t)
	if p == nil {
		t.Fatal(problems)
	}
	return w, p
}

func TestSavedPlanComesBack(t *testing.T) {
	_, p := savedPlan(t)
	b, err := Encode(p, testKey)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Encode(p, testKey)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("a second encoding differs: %v", err)
	}
	h, err := Peek(b)
	if err != nil || h.Fleet != testFleet || h.ID != p.ID {
		t.Errorf("Peek = %+v, %v", h, err)
	}
	got, err := Decode(b, testKey)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(p, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("decoded (-want +got):\n%s", d)
	}
}

func TestSavedPlanIsRefused(t *testing.T) {
	_, p := savedPlan(t)
	b, err := Encode(p, testKey)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(b) {
		if _, err := Decode(b[:n], testKey); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d bytes of %d: %v", n, len(b), err)
		}
	}
	for i := range b {
		x := slices.Clone(b)
		x[i] ^= 0x40
		if _, err := Decode(x, testKey); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	}
	if _, err := Decode(b, []byte("another key")); !errors.Is(err, ErrDamaged) {
		t.Errorf("another key: %v", err)
	}
	if _, err := Decode(append(slices.Clone(b), 0), testKey); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte more: %v", err)
	}
	x := slices.Clone(b)
	x[len(magic)+1]++
	if _, err := Peek(x); !errors.Is(err, ErrNewer) {
		t.Errorf("a later format: %v", err)
	}
}

func TestPlanHoldsNoSecret(t *testing.T) {
	_, p := savedPlan(t)
	if len(p.Sealed) != 1 || p.Sealed[0] != "hmac-sha256:00" {
		t.Errorf("Sealed = %q", p.Sealed)
	}
	for _, c := range p.Changes {
		for _, d := range c.Diff {
			if d.Path == "env.B" && (!d.Sensitive || d.After == nil || *d.After != "") {
				t.Errorf("the difference of a secret: %+v", d)
			}
		}
	}
}

func TestCheckNamesWhatChanged(t *testing.T) {
	w, p := savedPlan(t)
	if err := p.Check(&w.snap, testFleet); err != nil {
		t.Fatalf("fresh: %v", err)
	}
	if err := p.Check(&w.snap, "other"); !errors.Is(err, ErrForeign) {
		t.Errorf("other fleet: %v", err)
	}
	w.snap.Serials[state.LatestKey()]++
	for r := range w.snap.Replicas {
		w.snap.Serials[state.ReplicaKey(r)] += 100
	}
	w.snap.Serials[state.NetworkKey("web1", "shop-app")] = 7 // made by somebody meanwhile
	var stale *StaleError
	if err := p.Check(&w.snap, testFleet); !errors.As(err, &stale) {
		t.Fatalf("stale: %v", err)
	}
	want := []string{"network shop-app on web1", "the latest release", "workload.web[0]", "workload.web[1]"}
	if d := cmp.Diff(want, stale.Objects); d != "" {
		t.Errorf("objects (-want +got):\n%s", d)
	}
}

// FuzzDecode: no bytes make Decode panic, and what it takes it gives back.
func FuzzDecode(f *testing.F) {
	_, p := savedPlan(f)
	b, err := Encode(p, testKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:len(b)-32], true)
	f.Add(b, false)
	f.Add([]byte(magic+"\x00\x01\x00\x00\x00\x02{}"), true)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal { // so that what comes after the checksum is reached
			b = append(slices.Clone(b), sum(b, testKey)...)
		}
		p, err := Decode(b, testKey)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Errorf("an error without a class: %v", err)
			}
			return
		}
		if _, err := Encode(p, testKey); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
