package remote

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The classes of failure, for errors.Is. An [*Error] has at most one.
var (
	// ErrConfig: what was declared, or an ssh_config file, cannot be used as it stands. Nothing was sent.
	ErrConfig = errors.New("unusable configuration")
	// ErrUnreachable: no answer, or not in time, or the connection broke. What was under way is unknown.
	ErrUnreachable = errors.New("host unreachable")
	// ErrHostKeyUnknown: no known_hosts file vouches for the key that the host showed.
	ErrHostKeyUnknown = errors.New("host key unknown")
	// ErrHostKeyChanged: the host showed another key than the recorded one, or a revoked one. No authentication was tried.
	ErrHostKeyChanged = errors.New("host key changed")
	// ErrAuth: the host refused every key, or there was no usable key to offer.
	ErrAuth = errors.New("authentication refused")
	// ErrForwardingRefused: the host's sshd forwards no sockets, and nothing else there could stand in.
	ErrForwardingRefused = errors.New("forwarding refused")
	// ErrSocketMissing: there is no socket at the path.
	ErrSocketMissing = errors.New("socket missing")
	// ErrSocketDenied: the socket is there, and the account may not use it.
	ErrSocketDenied = errors.New("socket permission denied")
	// ErrSocketDead: the socket is there, and no process listens on it.
	ErrSocketDead = errors.New("socket without a listener")
	// ErrRefused: the host tried a TCP address and got no connection: refused, or nothing there. It says nothing against the host.
	ErrRefused = errors.New("connection refused")
	// ErrTooManySessions: the host's sshd allows no more sessions on this connection.
	ErrTooManySessions = errors.New("too many sessions")
	// ErrClosed: the connection was closed by its owner.
	ErrClosed = errors.New("connection closed")
)

// Stage says how far the way to a host went.
type Stage string

// The stages, in order.
const (
	StageConfig    Stage = "configuration" // reading what was declared; nothing sent
	StageDial      Stage = "dial"          // TCP connect, or the jump host's connect
	StageHandshake Stage = "handshake"     // version banner and key exchange
	StageHostKey   Stage = "host key"      // judging the key shown
	StageAuth      Stage = "auth"          // offering our keys
	StageChannel   Stage = "channel"       // opening a stream or a session
	StageRequest   Stage = "request"       // asking for a command or a listener; a stream under way
	StageKeepalive Stage = "keepalive"     // finding that the peer answers no more
)

// Key is a public key that took part.
type Key struct {
	Type        string // for instance "ssh-ed25519"
	Fingerprint string // "SHA256:…"
	File        string // where it is from; empty for a key that only the SSH agent holds
	Agent       bool   // the SSH agent holds it
	Comment     string // the agent's comment
}

// String names the key as a person would look for it.
func (k Key) String() string {
	switch {
	case k.Agent && k.File != "":
		return "agent key " + k.Fingerprint + " (" + k.File + ")"
	case k.Agent:
		return "agent key " + k.Fingerprint
	case k.File != "":
		return k.File + " (" + k.Fingerprint + ")"
	}
	return k.Fingerprint
}

// SkippedKey is a key that was not offered, and why.
type SkippedKey struct {
	Name   string // file, or the agent key's fingerprint
	Reason string
}

// RecordedKey is a host key as a known_hosts file has it.
type RecordedKey struct {
	Key
	File    string
	Line    int  // 1 is the first
	Revoked bool // marked @revoked
}

// HostKey is what was found when a host's key was judged.
type HostKey struct {
	Name     string        // as known_hosts writes the host, for instance "[10.0.0.12]:2222"
	Offered  Key           // what the host showed
	Recorded []RecordedKey // what known_hosts has for it; for an unknown host empty
	Files    []string      // the known_hosts files that were read or would be
}

// Error is a failure to reach a host or something on it. Its fields are data for
// a message; text from the host in them is as it came, so whoever prints strips
// control sequences.
type Error struct {
	Host    string        // the host's name in the fleet
	Stage   Stage         // how far it went
	Class   error         // one of the Err variables, or nil
	User    string        // account on the host; for a jump host the account there
	Address string        // "address:port" that the stage was about
	Via     []string      // the jump hosts passed before it, nearest first
	Timeout time.Duration // the deadline that ended it; 0 when none did
	Op      string        // what was being done, for instance "open /var/run/docker.sock"
	Detail  string        // what was observed, one line, no final stop
	Try     []string      // what to type, best first

	Tried   []Key        // ErrAuth: the keys offered, in order
	Skipped []SkippedKey // ErrAuth: the keys not offered
	Methods []string     // ErrAuth: what the host would accept
	HostKey *HostKey     // ErrHostKeyUnknown, ErrHostKeyChanged

	Socket string // ErrSocket…, ErrForwardingRefused: the path on the host
	Owner  string // ErrSocketDenied: "user:group mode" of the socket, where it could be had
	Groups string // ErrSocketDenied: the account's groups, space separated

	Err error // the cause, or nil
}

// Unwrap gives errors.Is and errors.As the class and the cause.
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

// Error is the whole of it in one paragraph: what happened, what was seen, what to type.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Summary())
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	} else if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	for _, s := range e.Facts() {
		b.WriteString(". " + strings.TrimSuffix(s, "."))
	}
	if len(e.Try) > 0 {
		b.WriteString(". Try: " + strings.Join(e.Try, "  or  "))
	}
	return b.String()
}

// Summary is the fixed first line for the class, with the host's name in it.
func (e *Error) Summary() string {
	name := "host " + strconv.Quote(e.Host)
	switch e.Class {
	case ErrConfig:
		return name + " cannot be reached as it is declared"
	case ErrUnreachable:
		if e.Stage == StageKeepalive || e.Stage == StageRequest {
			return name + " stopped answering"
		}
		return name + " cannot be reached"
	case ErrHostKeyUnknown:
		return name + " has a host key that is not known"
	case ErrHostKeyChanged:
		return name + " shows a host key other than the recorded one"
	case ErrAuth:
		return name + " refused the SSH key"
	case ErrForwardingRefused:
		return name + " refused to forward"
	case ErrSocketMissing:
		return name + " has no socket " + e.Socket
	case ErrSocketDenied:
		return name + " denies access to " + e.Socket
	case ErrSocketDead:
		return name + " has no process listening on " + e.Socket
	case ErrRefused:
		return name + " gets no connection: " + e.action()
	case ErrTooManySessions:
		return name + " allows no more sessions on the connection"
	case ErrClosed:
		return "the connection to " + name + " was closed"
	}
	return name + ": " + e.action()
}

func (e *Error) action() string {
	if e.Op != "" {
		return e.Op
	}
	return string(e.Stage)
}

// Facts are the observed facts in sentences, for under the summary.
func (e *Error) Facts() []string {
	var facts []string
	if e.Address != "" && (e.Class == ErrUnreachable || e.Class == ErrTooManySessions || e.Class == nil) {
		facts = append(facts, e.where())
	}
	if e.Class == ErrAuth {
		facts = append(facts, e.authFacts()...)
	}
	if e.HostKey != nil {
		facts = append(facts, e.HostKey.facts()...)
	}
	if e.Class == ErrSocketDenied {
		facts = append(facts, e.deniedFacts())
	}
	return facts
}

func (e *Error) where() string {
	s := "Stage " + string(e.Stage) + " with " + e.Address
	if e.Op != "" {
		s += " (" + e.Op + ")"
	}
	if len(e.Via) > 0 {
		s += " through " + strings.Join(e.Via, ", ")
	}
	if e.Timeout > 0 {
		s += " was not done within " + e.Timeout.String()
	}
	return s + "."
}

func (e *Error) authFacts() []string {
	as := fmt.Sprintf("as user %q at %s", e.User, e.Address)
	var facts []string
	if len(e.Tried) == 0 {
		facts = append(facts, "There was no key to offer "+as+".")
	} else {
		names := make([]string, len(e.Tried))
		for i, k := range e.Tried {
			names[i] = k.String()
		}
		facts = append(facts, "Tried "+list(names)+" "+as+".")
	}
	for _, s := range e.Skipped {
		facts = append(facts, "Not tried: "+s.Name+", "+s.Reason+".")
	}
	if len(e.Methods) > 0 {
		facts = append(facts, "The host accepts: "+strings.Join(e.Methods, ", ")+".")
	}
	return facts
}

func (h *HostKey) facts() []string {
	facts := []string{"Offered for " + h.Name + ": " + h.Offered.Type + " " + h.Offered.Fingerprint + "."}
	for _, r := range h.Recorded {
		what := "Recorded"
		if r.Revoked {
			what = "Revoked"
		}
		facts = append(facts, fmt.Sprintf("%s at %s:%d: %s %s.", what, r.File, r.Line, r.Type, r.Fingerprint))
	}
	if len(h.Recorded) == 0 {
		facts = append(facts, "Looked in "+list(h.Files)+".")
	}
	return facts
}

func (e *Error) deniedFacts() string {
	s := fmt.Sprintf("User %q", e.User)
	if e.Groups != "" {
		s += " is in the groups: " + e.Groups
	}
	if e.Owner != "" {
		s += "; the socket belongs to " + e.Owner
	}
	return s + "."
}

func list(items []string) string {
	switch n := len(items); n {
	case 0:
		return "nothing"
	case 1:
		return items[0]
	default:
		return strings.Join(items[:n-1], ", ") + " and " + items[n-1]
	}
}
