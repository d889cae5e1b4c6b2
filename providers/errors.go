package providers

import (
	"errors"
	"strings"
)

// The classes of an engine's errors, for errors.Is.
var (
	ErrUnknown       = errors.New("outcome unknown")      // may or may not have taken effect
	ErrUnreachable   = errors.New("host unreachable")     // nothing was sent
	ErrSilent        = error(silent{})                    // the host answers and its engine does not; an ErrUnreachable
	ErrNotFound      = errors.New("not found")            // no such container, volume or network
	ErrNameTaken     = errors.New("name taken")           // by something that is not what was asked for
	ErrPortTaken     = errors.New("port taken")           // on the host
	ErrImageNotFound = errors.New("image not found")      // on the engine, or at the registry
	ErrRegistry      = errors.New("registry error")       // it refused, or did not answer
	ErrNotOurs       = errors.New("not ours")             // carries no label of this fleet
	ErrInUse         = errors.New("in use")               // by a container
	ErrNotRunning    = errors.New("not running")          // the container is not
	ErrRefused       = errors.New("connection refused")   // nothing accepts at the container's port
	ErrNoSpace       = errors.New("no space on the host") // its disk is full
	ErrUnsupported   = errors.New("not supported")        // by this engine
	ErrSecret        = errors.New("secret value missing") // the vault lacks a sealed text
	ErrInvalid       = errors.New("invalid request")      // the engine refuses it as it stands
)

type silent struct{}

func (silent) Error() string        { return "engine does not answer" }
func (silent) Is(target error) bool { return target == ErrUnreachable }

// Error is a failed call: what was being done to what, its class and its cause.
type Error struct {
	Op     string // "create", "start", "observe", ...
	Object string // a container's name, an image's reference; empty: the engine itself
	Class  error  // one of the above, or nil: none of them
	Err    error  // what the engine said; untrusted text; nil where the class says all
}

// Error reads "start shop-web-0-g1: port taken: ...".
func (e *Error) Error() string {
	s := e.Op
	if e.Object != "" {
		s += " " + e.Object
	}
	if e.Class != nil {
		s += ": " + e.Class.Error()
	}
	if e.Err != nil && (e.Class == nil || !strings.Contains(s, e.Err.Error())) {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap makes errors.Is see both the class and the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Class != nil {
		errs = append(errs, e.Class)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}
