package statetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/state"
)

// model is what a store should hold.
type model struct {
	ctx     context.Context
	store   state.Store
	reopen  func() state.Store
	lock    state.Lock
	records map[state.Key]state.Record
	serial  state.Serial
	epoch   state.Epoch
	next    int // the next lock's holder
}

// testModel runs random operations on a store and on a map, and compares all after each.
func testModel(t *testing.T, open Open) {
	rapid.Check(t, func(r *rapid.T) {
		s, reopen := open(t)
		m := &model{ctx: t.Context(), store: s, reopen: reopen, records: map[state.Key]state.Record{}}
		defer func() { m.store.Close() }()
		r.Repeat(map[string]func(*rapid.T){
			"commit": m.commit, "lock": m.takeLock, "unlock": m.unlock, "break": m.breakLock, "reopen": m.again,
			"": m.compare,
		})
	})
}

var modelKeys = rapid.SampledFrom([]state.Key{"a", "b", "b/1", "b/2", "c"})

// commit commits a random transaction to both.
func (m *model) commit(r *rapid.T) {
	t := state.Txn{}
	if rapid.Bool().Draw(r, "guarded") {
		t.Epoch = m.epoch - state.Epoch(rapid.Uint64Range(0, min(1, uint64(m.epoch))).Draw(r, "behind"))
	}
	for _, k := range rapid.SliceOfNDistinct(modelKeys, 0, 4, rapid.ID[state.Key]).Draw(r, "keys") {
		if rapid.Bool().Draw(r, "delete") {
			t.Delete = append(t.Delete, k)
			continue
		}
		t.Put = append(t.Put, state.Put{Key: k, Value: rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(r, "value")})
	}
	if rapid.Bool().Draw(r, "conditional") {
		k := modelKeys.Draw(r, "condition")
		wrong := state.Serial(rapid.SampledFrom([]uint64{0, 0, 1}).Draw(r, "wrong"))
		t.If = []state.Condition{{Key: k, Serial: m.records[k].Serial + wrong}}
	}
	want := m.apply(t)
	serial, err := m.store.Commit(m.ctx, t)
	if !errors.Is(err, want) || want == nil && (err != nil || serial != m.serial) {
		r.Fatalf("%+v: serial %d, error %v; want %d, %v", t, serial, err, m.serial, want)
	}
}

// apply is the model's commit.
func (m *model) apply(t state.Txn) error {
	if t.Epoch != 0 && t.Epoch != m.epoch {
		return state.ErrFenced
	}
	for _, c := range t.If {
		if m.records[c.Key].Serial != c.Serial {
			return state.ErrConflict
		}
	}
	changed := false
	for _, p := range t.Put {
		if old, ok := m.records[p.Key]; !ok || string(old.Value) != string(p.Value) {
			m.records[p.Key] = state.Record{Key: p.Key, Serial: m.serial + 1, Value: p.Value}
			changed = true
		}
	}
	for _, k := range t.Delete {
		if _, ok := m.records[k]; ok {
			delete(m.records, k)
			changed = true
		}
	}
	if changed {
		m.serial++
	}
	return nil
}

func (m *model) takeLock(r *rapid.T) {
	m.next++
	l, err := m.store.Lock(m.ctx, holder(fmt.Sprint(m.next)), 0)
	if m.lock != nil {
		if !errors.Is(err, state.ErrLocked) {
			r.Fatalf("got error %v, want ErrLocked", err)
		}
		m.next--
		return
	}
	if err != nil || l.Epoch() <= m.epoch {
		r.Fatalf("epoch after %d, error %v", m.epoch, err)
	}
	m.lock, m.epoch = l, l.Epoch()
}

func (m *model) unlock(r *rapid.T) {
	if m.lock == nil {
		return
	}
	if err := m.lock.Unlock(); err != nil {
		r.Fatal(err)
	}
	m.lock = nil
}

func (m *model) breakLock(r *rapid.T) {
	err := m.store.BreakLock(m.ctx, fmt.Sprint(m.next))
	if m.lock == nil {
		if !errors.Is(err, state.ErrNotLocked) {
			r.Fatalf("got error %v, want ErrNotLocked", err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	m.epoch++
	if err := m.lock.Unlock(); err != nil {
		r.Fatal(err)
	}
	m.lock = nil
}

// again closes the store, which frees its lock, and opens it anew.
func (m *model) again(r *rapid.T) {
	if err := m.store.Close(); err != nil {
		r.Fatal(err)
	}
	m.store, m.lock = m.reopen(), nil
}

func (m *model) compare(r *rapid.T) {
	v, err := m.store.Read(m.ctx)
	if err != nil {
		r.Fatal(err)
	}
	got := map[state.Key]string{}
	for _, rec := range v.Records {
		got[rec.Key] = fmt.Sprintf("%x@%d", rec.Value, rec.Serial)
	}
	want := map[state.Key]string{}
	for k, rec := range m.records {
		want[k] = fmt.Sprintf("%x@%d", rec.Value, rec.Serial)
	}
	if diff := cmp.Diff(want, got); diff != "" || v.Serial != m.serial || v.Epoch != m.epoch {
		r.Fatalf("serial %d, epoch %d; want %d, %d; records (-want +got):\n%s", v.Serial, v.Epoch, m.serial, m.epoch, diff)
	}
	h, err := m.store.Holder(m.ctx)
	if err != nil || (h != nil) != (m.lock != nil) {
		r.Fatalf("holder %v, error %v; held: %v", h, err, m.lock != nil)
	}
}
