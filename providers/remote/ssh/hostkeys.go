package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/skeema/knownhosts"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/remote"
	gossh "golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// lockRetry is how often a known_hosts file that another writer holds is tried
// again; a write takes about a millisecond.
const lockRetry = 5 * time.Millisecond

// verifier judges the host key of one hop.
type verifier struct {
	hop    hop
	name   string // of the host in the fleet
	env    Environment
	policy fleet.HostKeyPolicy
	db     *knownhosts.HostKeyDB
	known  []knownhosts.PublicKey // what known_hosts has for the hop, in file order

	accepted gossh.PublicKey // the key of the first exchange; later ones must show it again
	err      *remote.Error   // the refusal, kept because the library wraps it in text on some ways
}

func newVerifier(cfg Config, h hop) (*verifier, error) {
	v := &verifier{hop: h, name: cfg.Host, env: cfg.Environment, policy: cfg.HostKey}
	if err := v.load(); err != nil {
		return nil, err
	}
	return v, nil
}

// load reads the files there are. A line that cannot be read is an error, with
// its place: to pass over it could pass over a @revoked mark.
func (v *verifier) load() error {
	var files []string
	for _, name := range v.hop.known {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		files = append(files, name)
	}
	db, err := knownhosts.NewDB(files...)
	if err != nil {
		return fmt.Errorf("read known_hosts: %w", err)
	}
	v.db, v.known = db, db.HostKeys(v.hop.lookup())
	return nil
}

// algorithms is the order in which key types are asked for: those recorded first.
// The server picks the first that it has, so a key that is recorded is the key
// that is shown. The other types follow, for a host that lost its recorded key
// shall be reported as changed, with both fingerprints, and not as one with which
// no algorithm is common.
func (v *verifier) algorithms() []string {
	var order []string
	supported := gossh.SupportedAlgorithms().HostKeys
	for _, a := range v.db.HostKeyAlgorithms(v.hop.lookup()) {
		if slices.Contains(supported, a) {
			order = append(order, a)
		}
	}
	for _, a := range plainHostKeys() {
		if !slices.Contains(order, a) {
			order = append(order, a)
		}
	}
	return order
}

// check is for the gossh.HostKeyCallback. The library calls that after it has
// verified that the peer owns the key, before authentication, and again at each
// new key exchange. ctx bounds the wait for a locked known_hosts file.
func (v *verifier) check(ctx context.Context, remoteAddr net.Addr, key gossh.PublicKey) error {
	if v.accepted != nil {
		if bytes.Equal(v.accepted.Marshal(), key.Marshal()) {
			return nil
		}
		return v.refuse(remote.ErrHostKeyChanged, key, nil, "it changed while connected")
	}
	if err := v.judge(ctx, remoteAddr, key); err != nil {
		return err
	}
	v.accepted = key
	return nil
}

func (v *verifier) judge(ctx context.Context, remoteAddr net.Addr, key gossh.PublicKey) error {
	if weak(key) {
		return v.refuse(remote.ErrHostKeyUnknown, key, nil, fmt.Sprintf("RSA keys shorter than %d bits are not trusted", minRSABits))
	}
	err := v.db.HostKeyCallback()(v.hop.lookup(), remoteAddr, key)
	if err == nil {
		return nil
	}
	if revoked, ok := errors.AsType[*xknownhosts.RevokedError](err); ok {
		return v.refuse(remote.ErrHostKeyChanged, key, []remote.RecordedKey{v.recorded(revoked.Revoked, true)}, "the key is revoked")
	}
	ke, ok := errors.AsType[*xknownhosts.KeyError](err)
	if !ok {
		return v.refuse(remote.ErrHostKeyUnknown, key, nil, err.Error()) // a certificate that is not in order
	}
	var recorded []remote.RecordedKey
	for _, k := range ke.Want {
		if !v.authority(k.Key) {
			recorded = append(recorded, v.recorded(k, false))
		}
	}
	if len(recorded) > 0 {
		return v.refuse(remote.ErrHostKeyChanged, key, recorded, "")
	}
	if v.policy != fleet.HostKeyAcceptNew {
		return v.refuse(remote.ErrHostKeyUnknown, key, nil, "")
	}
	return v.accept(ctx, remoteAddr, key)
}

// authority reports whether known_hosts has k for the hop as a @cert-authority
// only: that is no record of the host's own key.
func (v *verifier) authority(k gossh.PublicKey) bool {
	for _, known := range v.known {
		if bytes.Equal(known.Marshal(), k.Marshal()) {
			return known.Cert
		}
	}
	return false
}

func (v *verifier) recorded(k xknownhosts.KnownKey, revoked bool) remote.RecordedKey {
	return remote.RecordedKey{Key: describe(k.Key), File: v.env.tilde(k.Filename), Line: k.Line, Revoked: revoked}
}

// refuse makes the error and keeps it.
func (v *verifier) refuse(class error, key gossh.PublicKey, recorded []remote.RecordedKey, detail string) error {
	name := knownhosts.Normalize(v.hop.lookup())
	e := &remote.Error{Host: v.name, Stage: remote.StageHostKey, Class: class, User: v.hop.user, Address: v.hop.addr(), Detail: detail,
		HostKey: &remote.HostKey{Name: name, Offered: describe(key), Recorded: recorded}}
	for _, f := range v.hop.known {
		e.HostKey.Files = append(e.HostKey.Files, v.env.tilde(f))
	}
	if class == remote.ErrHostKeyUnknown {
		e.Try = []string{v.sshCommand() + "   (compare the fingerprint, then say yes)", `set  ssh { host_key = "accept-new" }`}
	} else if len(recorded) > 0 && !recorded[0].Revoked {
		e.Try = []string{fmt.Sprintf("ssh-keygen -R %s -f %s   (if the host was set up anew; then connect once with ssh)",
			remote.Quote([]string{name}), recorded[0].File)}
	}
	v.err = e
	return e
}

// sshCommand is what makes ssh ask about the key and record it where we look.
func (v *verifier) sshCommand() string {
	s := "ssh "
	if v.hop.port != 22 {
		s += fmt.Sprintf("-p %d ", v.hop.port)
	}
	if v.hop.record != "" && v.hop.record != v.env.expand("~/.ssh/known_hosts") {
		s += "-o UserKnownHostsFile=" + v.env.tilde(v.hop.record) + " "
	}
	return s + v.hop.user + "@" + v.hop.host
}

// accept records the key of a new host. The file is locked and read again first:
// whoever came before us with another key makes this one a changed key.
func (v *verifier) accept(ctx context.Context, remoteAddr net.Addr, key gossh.PublicKey) error {
	if err := v.record(ctx, remoteAddr, key); err != nil {
		if v.err != nil {
			return v.err
		}
		return v.refuse(remote.ErrHostKeyUnknown, key, nil, "it cannot be recorded: "+err.Error())
	}
	return nil
}

func (v *verifier) record(ctx context.Context, remoteAddr net.Addr, key gossh.PublicKey) error {
	file := v.hop.record
	if file == "" {
		return errors.New("there is no known_hosts file to write to")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	lock := flock.New(file, flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return err
	}
	defer func() { _ = lock.Unlock() }() // the lock ends with the descriptor
	if err := v.load(); err != nil {
		return err
	}
	if slices.ContainsFunc(v.known, func(k knownhosts.PublicKey) bool { return !k.Cert }) {
		again := *v
		again.policy = fleet.HostKeyStrict
		err := again.judge(ctx, remoteAddr, key)
		v.err = again.err
		return err
	}
	return appendLine(file, v.line(key))
}

func (v *verifier) line(key gossh.PublicKey) string {
	line := knownhosts.Line([]string{v.hop.lookup()}, key)
	if !v.hop.hash {
		return line
	}
	_, rest, _ := strings.Cut(line, " ")
	return xknownhosts.HashHostname(knownhosts.Normalize(v.hop.lookup())) + " " + rest
}

// appendLine adds a line that is on the disk when it returns.
func appendLine(file, line string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if size, err := f.Seek(0, 2); err != nil {
		return err
	} else if size > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			line = "\n" + line
		}
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
