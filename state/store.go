package state

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
)

// Serial counts the changes of a store. It only grows, by one for each transaction that changed something.
type Serial uint64

// Epoch is the number of the lock holder that is allowed to write. It only grows, by one for each Lock.
type Epoch uint64

// Key names a record: slash-separated parts, each escaped (see keys.go). At most 512 bytes.
type Key string

// The limits of a transaction, chosen so that it fits one etcd transaction (128 operations, 1.5 MiB).
const (
	MaxTxnOps   = 100
	MaxTxnBytes = 1 << 20
)

// Record is one stored record. Serial is the store's serial when it was last changed.
type Record struct {
	Key    Key
	Serial Serial
	Value  []byte
}

// View is what a store held at one moment.
type View struct {
	Serial  Serial
	Epoch   Epoch    // of the latest Lock; 0: never locked
	Records []Record // sorted by key
}

// Txn is a set of changes that happen together or not at all. Keys in Put and Delete are distinct.
type Txn struct {
	// Epoch guards the transaction: where it is not zero and a later Lock was given, the transaction is refused with ErrFenced.
	Epoch Epoch
	// If are conditions on single records, all of which must hold; else ErrConflict.
	If     []Condition
	Put    []Put
	Delete []Key
}

// Condition holds when the record's serial is exactly Serial; 0 means that the record does not exist.
type Condition struct {
	Key    Key
	Serial Serial
}

// Put writes one record.
type Put struct {
	Key   Key
	Value []byte
}

// Event is one record as a transaction left it. Value is nil where it was deleted.
type Event struct {
	Serial Serial
	Key    Key
	Value  []byte
}

// Store remembers records. All methods may be called at once, from several goroutines and from several
// processes. Writes are durable when Commit returns: they survive kill -9 and power loss.
type Store interface {
	// Read returns every record whose key has one of the prefixes (none given: every record), all as of one moment.
	Read(ctx context.Context, prefixes ...Key) (View, error)

	// Commit carries out a transaction and returns the store's serial after it. Putting what is there already,
	// byte for byte, and deleting what is not there change nothing, and a transaction that changes nothing does not raise the serial.
	// ErrConflict, ErrFenced, ErrTooLarge, ErrFull, ErrReadOnly: nothing was written. Any other error: unknown; read to find out.
	Commit(ctx context.Context, t Txn) (Serial, error)

	// Lock takes the one lock, waiting up to wait for it. *LockedError: somebody else has it.
	// The lock is free as soon as its process is dead, however it died.
	Lock(ctx context.Context, h Holder, wait time.Duration) (Lock, error)

	// Holder returns who holds the lock now; nil: nobody.
	Holder(ctx context.Context) (*Holder, error)

	// BreakLock takes the lock from the holder with this id, for when a person knows better. A holder that still
	// runs is fenced: its next Commit is ErrFenced. ErrNotLocked where no such holder is.
	BreakLock(ctx context.Context, id string) error

	// Watch yields every change after the given serial, in order, until ctx ends. Several changes of one record
	// between two looks may come as one. An error ends it; ErrCompacted: read everything anew.
	Watch(ctx context.Context, after Serial) iter.Seq2[Event, error]

	// Close gives up what the store holds open. Locks taken through it are released. It may be called twice.
	Close() error
}

// Lock is a lock that is held.
type Lock interface {
	// Epoch guards the holder's transactions.
	Epoch() Epoch
	// Lost is closed when the lock is no longer held: broken, or its lease ran out.
	Lost() <-chan struct{}
	// Unlock gives the lock up. It may be called twice.
	Unlock() error
}

// Holder says who holds the lock, for people.
type Holder struct {
	ID        string    `json:"id"`  // UUID, made by who takes the lock
	Who       string    `json:"who"` // user@host
	PID       int       `json:"pid"`
	Operation string    `json:"operation"` // "apply", "destroy", ...
	Plan      string    `json:"plan,omitempty"`
	Since     time.Time `json:"since"`
	Version   string    `json:"version"`
}

// The classes of a store's errors, for errors.Is.
var (
	ErrConflict  = errors.New("the record was changed by somebody else")
	ErrFenced    = errors.New("the lock was lost to somebody else")
	ErrLocked    = errors.New("the state is locked")
	ErrNotLocked = errors.New("no such lock")
	ErrTooLarge  = errors.New("the transaction is too large")
	ErrFull      = errors.New("no space left for the state")
	ErrReadOnly  = errors.New("the state cannot be written")
	ErrDamaged   = errors.New("the state is damaged")
	ErrNewer     = errors.New("the state was written by a newer version")
	ErrCompacted = errors.New("the history no longer reaches back that far")
)

// LockedError is ErrLocked with the holder's name.
type LockedError struct{ Holder Holder }

// Error names the holder.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%s by %s (pid %d, %s) since %s", ErrLocked, e.Holder.Who, e.Holder.PID, e.Holder.Operation, e.Holder.Since.Format(time.RFC3339))
}

// Is makes the error an ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// DamagedError is ErrDamaged with where and what.
type DamagedError struct {
	Path string   // of the file, or the key of the record
	What string   // what was found
	Try  []string // what to type, best first, each with what it does after it; may be empty
}

// Error names the place, and what to type.
func (e *DamagedError) Error() string {
	s := fmt.Sprintf("%s: %s: %s", ErrDamaged, e.Path, e.What)
	if len(e.Try) > 0 {
		s += "; try: " + strings.Join(e.Try, "  or  ")
	}
	return s
}

// Is makes the error an ErrDamaged.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }
