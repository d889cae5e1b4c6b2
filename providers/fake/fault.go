package fake

import (
	"context"
	"errors"
	"maps"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// Op names a call, as providers.Error does.
type Op string

// The calls. OpConnect is Connector.Engine, OpDigest is Registry.Digest; the rest are Engine's methods.
const (
	OpConnect       Op = "connect to engine"
	OpObserve       Op = "observe"
	OpInspect       Op = "inspect"
	OpFindName      Op = "find"
	OpPull          Op = "pull"
	OpExport        Op = "export"
	OpImport        Op = "import"
	OpCreateNetwork Op = "create network"
	OpRemoveNetwork Op = "remove network"
	OpCreateVolume  Op = "create volume"
	OpRemoveVolume  Op = "remove volume"
	OpCreate        Op = "create"
	OpStart         Op = "start"
	OpStop          Op = "stop"
	OpRemove        Op = "remove"
	OpUnpause       Op = "unpause"
	OpRename        Op = "rename"
	OpConnectTo     Op = "connect"
	OpDisconnect    Op = "disconnect"
	OpUpdate        Op = "update"
	OpWriteFiles    Op = "write files"
	OpSignal        Op = "signal"
	OpLogs          Op = "logs"
	OpExec          Op = "exec"
	OpDial          Op = "dial"
	OpEvents        Op = "events"
	OpDigest        Op = "digest"
)

// Mutates reports whether the call changes a host.
func (o Op) Mutates() bool {
	switch o {
	case OpConnect, OpObserve, OpInspect, OpFindName, OpExport, OpLogs, OpDial, OpEvents, OpDigest:
		return false
	}
	return true
}

// Call is one call on the world.
type Call struct {
	N      int // counted from 1 over all hosts
	Change int // counted from 1 over the calls that mutate; 0 for others
	Op     Op
	Host   fleet.HostName // empty: the registry
	Object string         // a container's name, even where the caller gave its id; an image's reference; ...
}

// Hook watches calls. Either field may be nil. They run on the caller's goroutine with nothing locked,
// so they may look at the world, block, cancel contexts, or leave by panic.
type Hook struct {
	// Before runs before the call takes effect. An error is returned to the caller, and nothing takes effect.
	Before func(Call) error
	// After runs after the call took effect, or did not: err is what the caller would get. What it
	// returns is what the caller gets.
	After func(c Call, err error) error
}

// SetHook replaces the hook.
func (w *World) SetHook(h Hook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = h
}

// When is where in a call something happens.
type When int

// Before: the call has no effect. After: it has.
const (
	Before When = iota
	After
)

// FaultKind is what a fault does to a call.
type FaultKind int

// The kinds of faults.
const (
	Fail      FaultKind = iota // Fault.Err, without effect
	CutBefore                  // no effect; the caller cannot know that
	CutAfter                   // the effect; the caller cannot know that
	Hang                       // no effect; the call lasts until its context ends
)

// Fault is something that goes wrong. Empty fields match everything.
type Fault struct {
	Op     Op
	Host   fleet.HostName
	Object string // a container's name or id, a reference, a volume's or network's name
	Kind   FaultKind
	Err    error // of Fail; nil: "injected". A class, an *providers.Error, or any other
	Times  int   // how often; 0: until ClearFaults
}

// Inject adds a fault. Of several that match a call the first one applies.
func (w *World) Inject(f Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.Times == 0 {
		f.Times = -1
	}
	w.faults = append(w.faults, &f)
}

// ClearFaults removes every fault.
func (w *World) ClearFaults() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = nil
}

// KillAt makes the n-th mutation from now (counted from 1) the last thing that the calling process does:
// that call ends before or after its effect, and every later call, reads too, fails without effect.
func (w *World) KillAt(n int, when When) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killAt, w.killWhen, w.killed = w.changes+n, when, false
}

// Killed reports whether the point of KillAt was reached.
func (w *World) Killed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.killed
}

// Revive lets calls through again, as to a new process.
func (w *World) Revive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killAt, w.killed = 0, false
}

// ErrKilled is the cause of every error after the point of KillAt.
var ErrKilled = errors.New("this process was killed")

// Counts returns how often each call was made since the last ResetCounts.
func (w *World) Counts() map[Op]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.counts)
}

// ResetCounts sets all counts to zero; Call.N and Call.Change go on.
func (w *World) ResetCounts() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.counts)
}

// verdict is what hooks and faults make of a call before its effect.
type verdict struct {
	hook    Hook
	fault   *Fault
	dieNow  bool // before the effect
	dieThen bool // after it
}

// begin numbers a call and takes the fault that matches it.
func (w *World) begin(c Call, id string) (Call, verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	c.N = w.calls
	w.counts[c.Op]++
	v := verdict{hook: w.hook, dieNow: w.killed}
	if c.Op.Mutates() {
		w.changes++
		c.Change = w.changes
		if w.killAt > 0 && w.changes == w.killAt {
			w.killed = true
			v.dieNow, v.dieThen = w.killWhen == Before, w.killWhen == After
		}
	}
	for _, f := range w.faults {
		if f.Times != 0 && f.matches(c, id) {
			f.Times--
			v.fault = &Fault{Kind: f.Kind, Err: f.Err}
			break
		}
	}
	return c, v
}

func (f *Fault) matches(c Call, id string) bool {
	return (f.Op == "" || f.Op == c.Op) && (f.Host == "" || f.Host == c.Host) &&
		(f.Object == "" || f.Object == c.Object || f.Object == id)
}

// do makes one call: it numbers it, lets hooks and faults at it, and runs effect.
func (w *World) do(ctx context.Context, c Call, effect func() error) error {
	return w.doID(ctx, c, "", effect)
}

func (w *World) doID(ctx context.Context, c Call, id string, effect func() error) error {
	c, v := w.begin(c, id)
	err := w.attempt(ctx, c, v, effect)
	if v.dieThen {
		err = c.unknown(ErrKilled)
	}
	if v.hook.After != nil {
		err = v.hook.After(c, err)
	}
	return c.error(err)
}

func (w *World) attempt(ctx context.Context, c Call, v verdict, effect func() error) error {
	if err := ctx.Err(); err != nil {
		return err // nothing was sent
	}
	if v.dieNow {
		return c.unknown(ErrKilled)
	}
	if v.hook.Before != nil {
		if err := v.hook.Before(c); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if v.fault == nil {
		return effect()
	}
	switch v.fault.Kind {
	case CutBefore:
		return c.unknown(errors.New("connection lost"))
	case CutAfter:
		if err := effect(); err != nil {
			return c.unknown(errors.New("connection lost"))
		}
		return c.unknown(errors.New("connection lost"))
	case Hang:
		<-ctx.Done()
		return c.unknown(ctx.Err())
	default:
		if v.fault.Err == nil {
			return errors.New("injected")
		}
		return v.fault.Err
	}
}

// unknown is the error of a call whose connection broke: a read's outcome is not in question.
func (c Call) unknown(cause error) error {
	class := providers.ErrUnknown
	if !c.Op.Mutates() {
		class = providers.ErrUnreachable
	}
	return &providers.Error{Class: class, Err: cause}
}

// classes are the sentinel errors that a fault or effect may return bare.
func isClass(err error) bool {
	for _, class := range []error{
		providers.ErrUnknown, providers.ErrUnreachable, providers.ErrNotFound, providers.ErrNameTaken,
		providers.ErrPortTaken, providers.ErrImageNotFound, providers.ErrRegistry, providers.ErrNotOurs,
		providers.ErrInUse, providers.ErrNotRunning, providers.ErrRefused, providers.ErrNoSpace, providers.ErrUnsupported,
		providers.ErrSecret, providers.ErrInvalid,
	} {
		if err == class {
			return true
		}
	}
	return false
}

// error makes err say which call failed.
func (c Call) error(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*providers.Error](err); ok {
		if e.Op != "" {
			return err
		}
		return &providers.Error{Op: string(c.Op), Object: c.Object, Class: e.Class, Err: e.Err}
	}
	if isClass(err) {
		return &providers.Error{Op: string(c.Op), Object: c.Object, Class: err}
	}
	return &providers.Error{Op: string(c.Op), Object: c.Object, Err: err}
}
