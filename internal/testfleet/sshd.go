package testfleet

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// hostKey is one of a host's keys, in the formats its sshd and known_hosts have.
type hostKey struct {
	kind    KeyType
	private string
	public  string
}

func newHostKey(kind KeyType) (hostKey, error) {
	private, err := generate(kind)
	if err != nil {
		return hostKey{}, fmt.Errorf("generate %s key: %w", kind, err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return hostKey{}, fmt.Errorf("encode %s key: %w", kind, err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return hostKey{}, fmt.Errorf("encode %s key: %w", kind, err)
	}
	public := string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	return hostKey{kind, string(pem.EncodeToMemory(block)), public}, nil
}

func generate(kind KeyType) (crypto.Signer, error) {
	switch kind {
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case ECDSA:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA:
		return rsa.GenerateKey(rand.Reader, 3072) // what ssh-keygen makes
	}
	return nil, fmt.Errorf("unknown key type %q", kind)
}

// writeKey makes the key that opens every host and returns its public half.
func (f *Fleet) writeKey() (string, error) {
	key, err := newHostKey(Ed25519)
	if err != nil {
		return "", err
	}
	f.KeyFile = f.path("id_ed25519")
	return key.public, writeFile(f.KeyFile, key.private, 0o600)
}

func (f *Fleet) writeKnownHosts() error {
	var b strings.Builder
	for _, h := range f.Hosts {
		for _, key := range h.hostKeys {
			fmt.Fprintf(&b, "%s %s", h.Addr, key.public)
		}
	}
	f.KnownHosts = f.path("known_hosts")
	return writeFile(f.KnownHosts, b.String(), 0o644)
}

func (h *Host) makeHostKeys() error {
	for _, kind := range h.fleet.config.HostKeys {
		key, err := newHostKey(kind)
		if err != nil {
			return err
		}
		h.hostKeys = append(h.hostKeys, key)
	}
	return h.writeSSHD(h.hostKeys)
}

// writeSSHD writes what sshd reads. It says nothing of limits: they are the stock
// ones (MaxSessions 10, MaxStartups 10:30:100). PAM is off because its modules look
// at the machine: limits, login records, messages of the day.
func (h *Host) writeSSHD(keys []hostKey) error {
	lines := []string{"UsePAM no", "KbdInteractiveAuthentication no", "PasswordAuthentication no",
		"PrintMotd no", "X11Forwarding yes", "AcceptEnv LANG LC_*", "Subsystem sftp /usr/lib/openssh/sftp-server"}
	for _, key := range keys {
		path := "/etc/ssh/ssh_host_" + string(key.kind) + "_key"
		if err := writeFile(h.path(path), key.private, 0o600); err != nil {
			return err
		}
		lines = append(lines, "HostKey "+path)
	}
	if !h.forwarding {
		lines = append(lines, "AllowStreamLocalForwarding no")
	}
	lines = append(lines, h.fleet.config.SSHD...)
	return writeFile(h.path("/etc/ssh/sshd_config"), strings.Join(lines, "\n")+"\n", 0o644)
}

func (h *Host) startSSHD(ctx context.Context) error {
	path, err := find("sshd")
	if err != nil {
		return err
	}
	h.sshd, err = startService(ctx, h.box, "sshd", h.dir, path, "-D", "-e", "-f", "/etc/ssh/sshd_config")
	if err != nil {
		return err
	}
	return h.sshd.await(ctx, h.sshAnswers)
}

// sshAnswers reports whether sshd greets, asked from inside the host: the link may be cut.
func (h *Host) sshAnswers(ctx context.Context) error {
	conn, err := h.Dial(ctx, "tcp4", "127.0.0.1:22")
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(commandTimeout)); err != nil {
		return err
	}
	greeting, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(greeting, "SSH-2.0-") {
		err = fmt.Errorf("sshd greets with %q", greeting)
	}
	return err
}

// restartSSHD makes sshd read its files again. Connections that are open stay so,
// as they do when a distribution's unit restarts it.
func (h *Host) restartSSHD(ctx context.Context, keys []hostKey) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := h.sshd.kill(ctx); err != nil {
		return err
	}
	if err := h.writeSSHD(keys); err != nil {
		return err
	}
	return h.startSSHD(ctx)
}

// ChangeHostKey gives the host new keys of the same types: what a man in the middle,
// or a host installed anew, looks like. Fleet.KnownHosts keeps the old ones.
func (h *Host) ChangeHostKey(ctx context.Context) error {
	var keys []hostKey
	for _, old := range h.hostKeys {
		key, err := newHostKey(old.kind)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	return h.restartSSHD(ctx, keys)
}

// RestoreHostKey gives the host the keys back that Fleet.KnownHosts has.
func (h *Host) RestoreHostKey(ctx context.Context) error {
	return h.restartSSHD(ctx, h.hostKeys)
}

// RefuseForwarding makes sshd refuse to forward to unix sockets, for connections
// made from now on.
func (h *Host) RefuseForwarding(ctx context.Context) error {
	h.forwarding = false
	return h.restartSSHD(ctx, h.hostKeys)
}

// AllowForwarding undoes RefuseForwarding.
func (h *Host) AllowForwarding(ctx context.Context) error {
	h.forwarding = true
	return h.restartSSHD(ctx, h.hostKeys)
}

// SSHAddr is where sshd listens, as host:port.
func (h *Host) SSHAddr() string { return net.JoinHostPort(h.Addr, "22") }
