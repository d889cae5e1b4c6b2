package ssh

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strings"

	"github.com/stowage-run/stowage/providers/remote"
	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// maxKeys is how many keys are offered on one connection: sshd's MaxAuthTries is
// 6, and it hangs up at the one after.
const maxKeys = 6

// identity is a key that can be offered.
type identity struct {
	key    remote.Key
	pub    gossh.PublicKey // a key or a certificate, never the agent's wrapping
	signer gossh.AlgorithmSigner
}

// identities are the keys for one hop, in the order of offering. It is used by
// one handshake at a time.
type identities struct {
	list     []identity
	skipped  []remote.SkippedKey
	tried    []remote.Key
	unsigned error    // why the last key that the host would take did not sign
	agent    net.Conn // nil: none in use; its deadline is the caller's to keep
}

// close ends the connection to the agent. The keys are of no use after.
func (ids *identities) close() {
	if ids.agent != nil {
		ids.agent.Close()
	}
}

// signers are the keys as the library wants them; each notes that it was offered.
func (ids *identities) signers() []gossh.Signer {
	signers := make([]gossh.Signer, len(ids.list))
	for i, id := range ids.list {
		signers[i] = &offered{AlgorithmSigner: id.signer, pub: id.pub,
			note: func() { ids.tried = append(ids.tried, id.key) },
			fail: func(err error) { ids.unsigned = fmt.Errorf("%s did not sign: %w", id.key, err) }}
	}
	return signers
}

// offered is a signer that signs with sound algorithms only and says when it is
// asked for its public key, which the library does once for each key it offers.
type offered struct {
	gossh.AlgorithmSigner
	pub  gossh.PublicKey
	note func()
	fail func(error)
}

// SignWithAlgorithm keeps why it failed: an agent may ask its owner, and get a no.
func (o *offered) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*gossh.Signature, error) {
	sig, err := o.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
	if err != nil {
		o.fail(err)
	}
	return sig, err
}

func (o *offered) PublicKey() gossh.PublicKey {
	if o.note != nil {
		o.note()
		o.note = nil
	}
	return o.pub
}

// Algorithms makes it a gossh.MultiAlgorithmSigner.
func (o *offered) Algorithms() []string {
	return signatureAlgorithms(bare(o.pub).Type())
}

// bare is the key that a certificate certifies, or pub itself.
func bare(pub gossh.PublicKey) gossh.PublicKey {
	if cert, ok := pub.(*gossh.Certificate); ok {
		return cert.Key
	}
	return pub
}

// describe names pub; for a certificate the fingerprint is its key's, as ssh-add
// and ssh-keygen show it.
func describe(pub gossh.PublicKey) remote.Key {
	return remote.Key{Type: pub.Type(), Fingerprint: gossh.FingerprintSHA256(bare(pub))}
}

// collector gathers the identities of one hop.
type collector struct {
	env  Environment
	ids  *identities
	held []identity // the agent's keys
	seen map[string]bool
}

// collect gathers the keys for h: the declared file, then ssh_config's files (the
// agent signs for those it holds), then the agent's other keys, and the default
// files last. It asks the agent for its list, and fails only for a declared key
// file that cannot be used; the caller closes the result.
func collect(ctx context.Context, env Environment, h hop) (*identities, error) {
	c := collector{env: env, ids: &identities{}, seen: make(map[string]bool)}
	c.askAgent(ctx, h.agent)
	if h.keyFile != "" {
		if err := c.file(h.keyFile); err != nil {
			c.ids.close()
			return nil, err
		}
	}
	for _, name := range h.keyFiles {
		if err := c.file(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.ids.skipped = append(c.ids.skipped, remote.SkippedKey{Name: env.tilde(name), Reason: reason(err)})
		}
	}
	for _, k := range c.held {
		if !h.only {
			c.add(k)
		}
	}
	c.limit()
	return c.ids, nil
}

// limit drops what sshd would hang up on, and says so.
func (c *collector) limit() {
	if len(c.ids.list) <= maxKeys {
		return
	}
	for _, id := range c.ids.list[maxKeys:] {
		c.ids.skipped = append(c.ids.skipped, remote.SkippedKey{Name: id.key.String(),
			Reason: fmt.Sprintf("%d keys were offered before it and sshd takes no more; name it with key_file", maxKeys)})
	}
	c.ids.list = c.ids.list[:maxKeys]
}

func (c *collector) add(id identity) {
	if fp := id.key.Type + id.key.Fingerprint; !c.seen[fp] {
		c.seen[fp] = true
		c.ids.list = append(c.ids.list, id)
	}
}

// askAgent lists the agent's keys. An agent that does not answer is noted, not
// an error: files may do.
func (c *collector) askAgent(ctx context.Context, socket string) {
	if socket == "" {
		return
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		c.noAgent(socket, err)
		return
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // fails on a connection that is closed, as its next use does
	}
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		conn.Close()
		c.noAgent(socket, err)
		return
	}
	c.ids.agent = conn
	for _, s := range signers {
		as, ok := s.(gossh.AlgorithmSigner)
		pub, err := gossh.ParsePublicKey(s.PublicKey().Marshal())
		if !ok || err != nil || weak(pub) {
			continue
		}
		k := describe(pub)
		k.Agent = true
		if ak, ok := s.PublicKey().(*agent.Key); ok {
			k.Comment = ak.Comment
		}
		c.held = append(c.held, identity{key: k, pub: pub, signer: as})
	}
}

func (c *collector) noAgent(socket string, err error) {
	c.ids.skipped = append(c.ids.skipped, remote.SkippedKey{Name: "the agent at " + socket, Reason: reason(err)})
}

// fromAgent offers the agent's key for pub, if it holds it.
func (c *collector) fromAgent(pub gossh.PublicKey, file string) (found bool) {
	for _, k := range c.held {
		if k.key.Fingerprint == gossh.FingerprintSHA256(bare(pub)) {
			k.key.File = c.env.tilde(file)
			c.add(k)
			found = true
		}
	}
	return found
}

// file offers the key in a file, with its certificate first when there is one.
func (c *collector) file(name string) error {
	text, err := readPrivate(name)
	if err != nil {
		// A public key alone is enough where the agent has the other half.
		if pub := publicHalf(name); pub != nil && c.fromAgent(pub, name) {
			return nil
		}
		return c.explain(name, err)
	}
	signer, err := gossh.ParsePrivateKey(text)
	if missing, ok := errors.AsType[*gossh.PassphraseMissingError](err); ok {
		pub := missing.PublicKey
		if pub == nil {
			pub = publicHalf(name)
		}
		if pub != nil && c.fromAgent(pub, name) {
			return nil
		}
		return &keyError{file: c.env.tilde(name), reason: "it is protected by a passphrase and the SSH agent does not hold it",
			try: "ssh-add " + c.env.tilde(name), err: err}
	}
	if err != nil {
		if pub, _, _, _, perr := gossh.ParseAuthorizedKey(text); perr == nil && c.fromAgent(pub, name) {
			return nil
		}
		return &keyError{file: c.env.tilde(name), reason: "it holds no private key that can be read", err: err}
	}
	return c.signer(name, signer)
}

func (c *collector) signer(name string, signer gossh.Signer) error {
	as, ok := signer.(gossh.AlgorithmSigner)
	if !ok || weak(signer.PublicKey()) {
		return &keyError{file: c.env.tilde(name), reason: fmt.Sprintf("its type %s, or its length, is not used any more", signer.PublicKey().Type())}
	}
	if cert := certificate(name); cert != nil {
		if cs, err := gossh.NewCertSigner(cert, signer); err == nil {
			if acs, ok := cs.(gossh.AlgorithmSigner); ok {
				c.add(identity{key: c.fileKey(cert, name), pub: cert, signer: acs})
			}
		}
	}
	c.add(identity{key: c.fileKey(signer.PublicKey(), name), pub: signer.PublicKey(), signer: as})
	return nil
}

func (c *collector) fileKey(pub gossh.PublicKey, name string) remote.Key {
	k := describe(pub)
	k.File = c.env.tilde(name)
	return k
}

// keyAlgoDSA is spelled here: the library's own name for it is deprecated, and the keys are still found in files.
const keyAlgoDSA = "ssh-dss"

// weak reports a key that is not to be used: DSA, or short RSA.
func weak(pub gossh.PublicKey) bool {
	pub = bare(pub)
	if pub.Type() == keyAlgoDSA {
		return true
	}
	ck, ok := pub.(gossh.CryptoPublicKey)
	if !ok {
		return false
	}
	rk, ok := ck.CryptoPublicKey().(*rsa.PublicKey)
	return ok && rk.N.BitLen() < minRSABits
}

// keyError is a key file that cannot be used.
type keyError struct {
	file   string
	reason string
	try    string
	err    error
}

func (e *keyError) Error() string { return "key file " + e.file + ": " + e.reason }
func (e *keyError) Unwrap() error { return e.err }

func reason(err error) string {
	if ke, ok := errors.AsType[*keyError](err); ok {
		if ke.try != "" {
			return ke.reason + " (" + ke.try + ")"
		}
		return ke.reason
	}
	return err.Error()
}

// errTooOpen is a key file that others can read.
var errTooOpen = errors.New("others can read it")

func (c *collector) explain(name string, err error) error {
	short := c.env.tilde(name)
	switch {
	case errors.Is(err, errTooOpen):
		return &keyError{file: short, reason: err.Error(), try: "chmod 600 " + short, err: err}
	case errors.Is(err, fs.ErrNotExist):
		return &keyError{file: short, reason: "there is no such file", err: err}
	}
	return &keyError{file: short, reason: err.Error(), err: err}
}

// readPrivate reads a private key that nobody else can. A public key may lie open.
func readPrivate(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > 1<<20 {
		return nil, errors.New("it is not a key file")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if _, _, _, _, err := gossh.ParseAuthorizedKey(text); err == nil {
		return text, nil
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%w (mode %#o)", errTooOpen, mode)
	}
	return text, nil
}

// publicHalf reads the public key beside a private one, or nil.
func publicHalf(name string) gossh.PublicKey {
	return readPublic(strings.TrimSuffix(name, ".pub") + ".pub")
}

// certificate reads the certificate beside a private key, or nil.
func certificate(name string) *gossh.Certificate {
	cert, _ := readPublic(name + "-cert.pub").(*gossh.Certificate)
	return cert
}

func readPublic(name string) gossh.PublicKey {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	pub, _, _, _, err := gossh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return pub
}
