package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// present is every kind of record but the history.
func present() []Key {
	return []Key{
		kindMeta, kindLatest, kindWorkload + "/", kindSpec + "/", kindReplica + "/", kindVolume + "/",
		kindNetwork + "/", kindHost + "/", kindIntent + "/", kindDebt + "/", kindRollout + "/", kindOverride + "/", kindOutput + "/",
	}
}

// Load reads everything but the releases and the plans, as of one moment. The first record that cannot
// be read ends it: a *DamagedError or an ErrNewer. A fleet that was never applied gives an empty snapshot.
func Load(ctx context.Context, s Store) (*Snapshot, error) {
	v, err := s.Read(ctx, present()...)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	snap := &Snapshot{
		Serial:    v.Serial,
		Workloads: map[fleet.WorkloadName]fleet.Workload{},
		Specs:     map[fleet.Revision]fleet.Spec{},
		Replicas:  make(map[fleet.ReplicaID]Replica, len(v.Records)),
		Hosts:     map[fleet.HostName]Host{},
		Rollouts:  map[fleet.WorkloadName]Rollout{},
		Overrides: map[fleet.WorkloadName]Override{},
		Outputs:   map[string]fleet.Output{},
		Serials:   make(map[Key]Serial, len(v.Records)),
	}
	decoded, err := decodeAll(v.Records)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	for i, r := range v.Records {
		if err := snap.add(r, decoded[i]); err != nil {
			return nil, fmt.Errorf("read the state: %w", err)
		}
	}
	slices.SortFunc(snap.Volumes, func(a, b Volume) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Engine, b.Engine))
	})
	slices.SortFunc(snap.Networks, func(a, b Network) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Engine, b.Engine))
	})
	slices.SortFunc(snap.Intents, func(a, b Intent) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Op, b.Op))
	})
	slices.SortFunc(snap.Debts, func(a, b Debt) int { return cmp.Compare(a.Host, b.Host) })
	return snap, nil
}

// perDecoder is how many records one goroutine decodes: they take it about a millisecond, and fewer are not worth another.
const perDecoder = 2000

// decodeAll decodes records, many of them on several processors. The error is that of the first that cannot be read.
func decodeAll(records []Record) ([]any, error) {
	decoders := min(runtime.GOMAXPROCS(0), 1+len(records)/perDecoder)
	decoded, errs := make([]any, len(records)), make([]error, decoders)
	var wg sync.WaitGroup
	for d := range decoders {
		from, to := len(records)*d/decoders, len(records)*(d+1)/decoders
		wg.Go(func() {
			for i := from; i < to && errs[d] == nil; i++ {
				decoded[i], errs[d] = Decode(records[i])
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return decoded, nil
}

// add puts one record in its place.
func (s *Snapshot) add(r Record, decoded any) error {
	s.Serials[r.Key] = r.Serial
	switch v := decoded.(type) {
	case Replica:
		s.Replicas[v.Replica] = v
	case Meta:
		s.Meta = v
	case fleet.Release:
		s.Release = v
	case fleet.Workload:
		s.Workloads[v.Name] = v
	case fleet.Spec:
		_, parts, err := r.Key.Split()
		if err != nil {
			return err
		}
		s.Specs[fleet.Revision(parts[0])] = v
	case Volume:
		s.Volumes = append(s.Volumes, v)
	case Network:
		s.Networks = append(s.Networks, v)
	case Host:
		s.Hosts[v.Host.Name] = v
	case Intent:
		s.Intents = append(s.Intents, v)
	case Debt:
		s.Debts = append(s.Debts, v)
	case Rollout:
		s.Rollouts[v.Workload] = v
	case Override:
		s.Overrides[v.Workload] = v
	case fleet.Output:
		s.Outputs[v.Name] = v
	}
	return nil
}

// ErrNoRecord is returned where a release or plan that was asked for is not recorded.
var ErrNoRecord = errors.New("nothing of that name is recorded")

// Releases reads the release history, oldest first.
func Releases(ctx context.Context, s Store) ([]Release, error) {
	return all(ctx, s, kindRelease+"/", decodeRelease)
}

// LoadRelease reads one release: ErrNoRecord where there is none of that number.
func LoadRelease(ctx context.Context, s Store, n fleet.Release) (Release, error) {
	return one(ctx, s, ReleaseKey(n), decodeRelease)
}

// Plans reads the records of the plans that were carried out, oldest first.
func Plans(ctx context.Context, s Store) ([]PlanRecord, error) {
	ps, err := all(ctx, s, kindPlan+"/", decode[PlanRecord])
	slices.SortFunc(ps, func(a, b PlanRecord) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
	})
	return ps, err
}

// LoadPlan reads one plan's record: ErrNoRecord where there is none of that id.
func LoadPlan(ctx context.Context, s Store, id string) (PlanRecord, error) {
	return one(ctx, s, PlanKey(id), decode[PlanRecord])
}

// all decodes the records with a prefix.
func all[T any](ctx context.Context, s Store, prefix Key, decode func(Record) (T, error)) ([]T, error) {
	v, err := s.Read(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("read %s of the state: %w", prefix, err)
	}
	out := make([]T, 0, len(v.Records))
	for _, r := range v.Records {
		t, err := decode(r)
		if err != nil {
			return nil, fmt.Errorf("read %s of the state: %w", prefix, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// one decodes the record with a key.
func one[T any](ctx context.Context, s Store, k Key, decode func(Record) (T, error)) (t T, err error) {
	v, err := s.Read(ctx, k)
	if err != nil {
		return t, fmt.Errorf("read %s of the state: %w", k, err)
	}
	for _, r := range v.Records {
		if r.Key == k {
			return decode(r)
		}
	}
	return t, fmt.Errorf("%s: %w", k, ErrNoRecord)
}

// EnsureMeta returns the fleet's identity, and makes it where there is none: an id from newID and a seal
// key from random. Of two processes that make it at once both get the one that was first. It is an error where
// the state is of a fleet with another name.
func EnsureMeta(ctx context.Context, s Store, name fleet.Name, now time.Time, newID func() string, random io.Reader) (Meta, error) {
	m, err := one(ctx, s, MetaKey(), decode[Meta])
	if errors.Is(err, ErrNoRecord) {
		m, err = makeMeta(ctx, s, Meta{ID: fleet.ID(newID()), Name: name, Created: now.UTC()}, random)
	}
	if err != nil {
		return Meta{}, fmt.Errorf("fleet %s: %w", name, err)
	}
	if m.Name != name {
		return Meta{}, fmt.Errorf("fleet %s: this is the state of fleet %s", name, m.Name)
	}
	return m, nil
}

// makeMeta writes the identity unless somebody was quicker, and returns what is there then.
func makeMeta(ctx context.Context, s Store, m Meta, random io.Reader) (Meta, error) {
	m.SealKey = make([]byte, 32)
	if _, err := io.ReadFull(random, m.SealKey); err != nil {
		return Meta{}, fmt.Errorf("make the seal key: %w", err)
	}
	value, err := encode(MetaKey(), m)
	if err != nil {
		return Meta{}, err
	}
	_, err = s.Commit(ctx, Txn{
		If:  []Condition{{Key: MetaKey()}},
		Put: []Put{{MetaKey(), value}},
	})
	switch {
	case errors.Is(err, ErrConflict):
		return one(ctx, s, MetaKey(), decode[Meta])
	case err != nil:
		return Meta{}, fmt.Errorf("write the identity: %w", err)
	}
	return m, nil
}
