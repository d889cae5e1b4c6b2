package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/stowage-run/stowage/state"
)

// sample fills a store so that its file has branch pages, free pages and deletions, and returns the
// file's bytes and what a read gives.
func sample(t testing.TB) (content []byte, want state.View) {
	t.Helper()
	s := openStore(t, t.TempDir())
	for i := range 6 {
		var txn state.Txn
		for j := range 40 {
			k := state.Key(fmt.Sprintf("replica/web/%02d%03d", i, j))
			txn.Put = append(txn.Put, state.Put{Key: k, Value: bytes.Repeat([]byte{byte(i), byte(j)}, 60)})
		}
		if i > 0 {
			txn.Delete = []state.Key{state.Key(fmt.Sprintf("replica/web/%02d%03d", i-1, i))}
		}
		if _, err := s.Commit(t.Context(), txn); err != nil {
			t.Fatal(err)
		}
	}
	want, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	content, err = os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	return content, want
}

// place makes a store whose file has the given content.
func place(t testing.TB, content []byte) *Store {
	t.Helper()
	s := openStore(t, t.TempDir())
	if err := s.makeDir(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Path(), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// use reads and writes. Whatever the file holds: no panic, and what is read is right or an ErrDamaged.
func use(t testing.TB, s *Store, want state.View) {
	t.Helper()
	got, err := s.Read(t.Context())
	if err == nil && dump(got) != dump(want) {
		t.Fatalf("a damaged file was read as another state: %d records of %d", len(got.Records), len(want.Records))
	}
	if err != nil && !errors.Is(err, state.ErrDamaged) {
		t.Fatalf("read: got error %v, want ErrDamaged", err)
	}
	_, writeErr := s.Commit(t.Context(), state.Txn{Put: []state.Put{{Key: "z", Value: make([]byte, 5000)}}})
	if (writeErr == nil) != (err == nil) {
		t.Fatalf("read: %v, but write: %v", err, writeErr)
	}
	if err == nil {
		if err := s.Check(t.Context()); err != nil && !strings.Contains(err.Error(), "unreachable unfreed") {
			t.Fatalf("after a write: %v", err)
		}
	}
}

func dump(v state.View) string { return fmt.Sprint(v.Serial, v.Records) }

func TestBitFlips(t *testing.T) {
	content, want := sample(t)
	page := os.Getpagesize()
	r := rand.New(rand.NewPCG(1, 2))
	found := 0
	for i := range 400 {
		b := bytes.Clone(content)
		for range 1 + i%3 {
			at := r.IntN(len(b))
			if i%2 == 0 { // where the structure is
				at = r.IntN(len(b)/page)*page + r.IntN(128)
			}
			b[at] ^= 1 << r.IntN(8)
		}
		if metaHit(content, b, page) {
			continue // bbolt takes the transaction before, as after a power cut: see TestMetaDamage
		}
		s := place(t, b)
		if _, err := s.Read(t.Context()); err != nil {
			found++
		}
		use(t, s, want)
	}
	if found < 50 {
		t.Errorf("only %d of 400 damages were found: the test damages too little", found)
	}
}

// metaHit reports whether one of the first two pages differs.
func metaHit(a, b []byte, page int) bool { return !bytes.Equal(a[:2*page], b[:2*page]) }

// TestMetaDamage damages the latest meta page: what remains is the transaction before, as after a power
// cut in the middle of a write. Both damaged is an error.
func TestMetaDamage(t *testing.T) {
	content, _ := sample(t)
	page := os.Getpagesize()
	for _, both := range []bool{false, true} {
		b := bytes.Clone(content)
		first, _ := parseMeta(b)
		second, _ := parseMeta(b[page:])
		latest := 0
		if second.txid > first.txid {
			latest = page
		}
		b[latest+pageHeader+50] ^= 1
		if both {
			b[page-latest+pageHeader+50] ^= 1
		}
		v, err := place(t, b).Read(t.Context())
		if both && !errors.Is(err, state.ErrDamaged) || !both && (err != nil || v.Serial != 5) {
			t.Errorf("both %v: serial %d, error %v", both, v.Serial, err)
		}
	}
}

func TestTruncations(t *testing.T) {
	content, want := sample(t)
	for n := 0; n < len(content); n += 509 {
		use(t, place(t, content[:n]), want)
	}
}

// TestTruncatedWhileSeen cuts the file short after it was verified, so that only the guard is left: the pages behind
// the end are mapped and not there (SIGBUS).
func TestTruncatedWhileSeen(t *testing.T) {
	content, _ := sample(t)
	s := place(t, content)
	if _, err := s.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.view(t.Context(), func(tx *bbolt.Tx) error {
		if err := os.Truncate(s.Path(), int64(3*os.Getpagesize())); err != nil {
			return err
		}
		return tx.Bucket([]byte(bucketRecords)).ForEach(func(k, v []byte) error { return nil })
	})
	if !errors.Is(err, state.ErrDamaged) {
		t.Errorf("got error %v, want ErrDamaged", err)
	}
}

func TestWhatIsFound(t *testing.T) {
	content, _ := sample(t)
	other := filepath.Join(t.TempDir(), "other.db")
	db, err := bbolt.Open(other, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }); err != nil {
		t.Fatal(err)
	}
	db.Close()
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "the file is empty"},
		{"text", []byte(`{"version": 4, "terraform_version": "1.11"}`), "it does not begin as a state file does"},
		{"zeros", make([]byte, len(content)), "it does not begin as a state file does"},
		{"short", content[:len(content)/4], "cut short"},
		{"bbolt file of others", foreign, "another program's database"},
	} {
		s := place(t, c.content)
		_, err := s.Read(t.Context())
		var damaged *state.DamagedError
		if !errors.As(err, &damaged) || damaged.Path != s.Path() || !strings.Contains(damaged.What, c.want) ||
			len(damaged.Try) != 1 || !strings.HasPrefix(damaged.Try[0], "stowage state rebuild ") {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
		if _, err := s.Lock(t.Context(), state.Holder{ID: "x"}, 0); !errors.Is(err, state.ErrDamaged) {
			t.Errorf("%s: Lock: got error %v", c.name, err)
		}
	}
}

// TestCopy damages the file after a lock was taken: the error names the copy, and the copy is good.
func TestCopy(t *testing.T) {
	s := openStore(t, t.TempDir())
	commit(t, s, "a", "1")
	l, err := s.Lock(t.Context(), state.Holder{ID: "x"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, "a", "2")
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.Path(), 100); err != nil {
		t.Fatal(err)
	}
	_, err = s.Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), "cp "+s.Path()+".1 "+s.Path()) {
		t.Fatalf("got error %v, want the command that restores the copy", err)
	}
	b, err := os.ReadFile(s.Path() + ".1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Path(), b, 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := s.Read(t.Context())
	if err != nil || string(v.Records[0].Value) != "1" {
		t.Errorf("restored: %+v, error %v", v, err)
	}
	if err := os.Remove(s.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context()); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("file gone, copy there: got error %v, want ErrDamaged", err)
	}
}

// TestSetAside begins anew after damage.
func TestSetAside(t *testing.T) {
	s := place(t, []byte("rubbish"))
	name, err := s.SetAside(t.Context(), time.Unix(0, 0))
	if err != nil || !strings.HasSuffix(name, "state.db.damaged-19700101T000000Z") {
		t.Fatalf("%q, error %v", name, err)
	}
	commit(t, s, "a", "1")
	if _, err := s.Lock(t.Context(), state.Holder{ID: "x"}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetAside(t.Context(), time.Unix(0, 0)); !errors.Is(err, state.ErrLocked) {
		t.Errorf("under a lock: got error %v, want ErrLocked", err)
	}
}

func TestNewerLayout(t *testing.T) {
	s := openStore(t, t.TempDir())
	commit(t, s, "a", "1")
	err := s.update(t.Context(), func(tx *bbolt.Tx) (bool, error) {
		b := []byte{format + 1, 1, 2, 3}
		c := crc(b)
		b = append(b, byte(c>>24), byte(c>>16), byte(c>>8), byte(c))
		return true, tx.Bucket([]byte(bucketHead)).Put([]byte(keyHead), b)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []*Store{s, openStore(t, filepath.Dir(s.dir))} {
		if _, err := in.Read(t.Context()); !errors.Is(err, state.ErrNewer) || errors.Is(err, state.ErrDamaged) {
			t.Errorf("got error %v, want ErrNewer", err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	content, want := sample(f)
	f.Add(uint32(0), []byte{1})
	f.Add(uint32(4096*3), []byte{255, 255, 255, 255})
	f.Add(uint32(len(content)), []byte{0})
	page := uint32(os.Getpagesize())
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		at = 2*page + at%uint32(len(content)) // the meta pages are TestMetaDamage's
		b := append([]byte{}, content...)
		if at < uint32(len(b)) {
			copy(b[at:], patch)
		}
		if len(patch) == 0 && at < uint32(len(b)) {
			b = b[:at]
		}
		use(t, place(t, b), want)
	})
}

// commit writes one record.
func commit(t testing.TB, s *Store, k, v string) {
	t.Helper()
	if _, err := s.Commit(context.WithoutCancel(t.Context()), state.Txn{Put: []state.Put{{Key: state.Key(k), Value: []byte(v)}}}); err != nil {
		t.Fatal(err)
	}
}

// TestLostRecord takes a record away, and puts an old one back, as a page does that comes back in an
// earlier version: each record for itself is whole, only their sum tells.
func TestLostRecord(t *testing.T) {
	for name, damage := range map[string]func(*bbolt.Bucket, []byte) error{
		"lost": func(b *bbolt.Bucket, _ []byte) error { return b.Delete([]byte("a")) },
		"old":  func(b *bbolt.Bucket, old []byte) error { return b.Put([]byte("a"), old) },
		"kept": func(*bbolt.Bucket, []byte) error { return nil },
	} {
		s := openStore(t, t.TempDir())
		commit(t, s, "a", "1")
		old := encodeRecord([]byte("a"), 1, []byte("1"))
		commit(t, s, "a", "2")
		err := s.update(t.Context(), func(tx *bbolt.Tx) (bool, error) {
			return true, damage(tx.Bucket([]byte(bucketRecords)), old)
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = openStore(t, filepath.Dir(s.dir)).Read(t.Context())
		if got, want := errors.Is(err, state.ErrDamaged), name != "kept"; got != want {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}
