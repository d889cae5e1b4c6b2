package ssh_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stowage-run/stowage/providers/remote"
)

// agent starts an ssh-agent and gives it keys.
func (w *world) agent(keys ...string) string {
	w.t.Helper()
	socket := w.path("agent.sock")
	cmd := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	w.await("the agent", func() bool { _, err := os.Stat(socket); return err == nil })
	for _, k := range keys {
		add := exec.Command("ssh-add", "-q", w.path(k))
		add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if out, err := add.CombinedOutput(); err != nil {
			w.t.Fatalf("ssh-add: %v\n%s", err, out)
		}
	}
	return socket
}

// withoutDefault takes the default key file away.
func (w *world) withoutDefault() {
	w.t.Helper()
	if err := os.Rename(w.path("home/.ssh/id_ed25519"), w.path("key")); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(w.path("home/.ssh/id_ed25519.pub"), w.path("key.pub")); err != nil {
		w.t.Fatal(err)
	}
}

func TestAgentKey(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	w.trust(s)
	w.withoutDefault()
	w.keygen("rsa", "rsa", "")
	w.write("authorized_keys", w.read("rsa.pub"))
	cfg := s.config()
	cfg.Environment.AuthSock = w.agent("key", "rsa")
	dial(t, cfg)
}

func TestRefusedKeyNamesWhatWasTried(t *testing.T) {
	w := newWorld(t)
	w.write("authorized_keys", "")
	w.keygen("agentkey", "ecdsa", "")
	w.keygen("home/.ssh/id_rsa", "rsa", "secret")
	s := w.sshd([]string{"ed25519-host"})
	w.trust(s)
	cfg := s.config()
	cfg.Environment.AuthSock = w.agent("agentkey")
	e := refused(t, cfg, remote.ErrAuth)
	want := []remote.Key{
		{Type: "ssh-ed25519", Fingerprint: w.fingerprint("home/.ssh/id_ed25519"), File: "~/.ssh/id_ed25519"},
		{Type: "ecdsa-sha2-nistp256", Fingerprint: w.fingerprint("agentkey"), Agent: true, Comment: "agentkey"},
	}
	if diff := cmp.Diff(want, e.Tried); diff != "" {
		t.Errorf("tried -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"publickey"}, e.Methods); diff != "" {
		t.Errorf("methods -want +got:\n%s", diff)
	}
	if len(e.Skipped) != 1 || e.Skipped[0].Name != "~/.ssh/id_rsa" || !strings.Contains(e.Skipped[0].Reason, "ssh-add ~/.ssh/id_rsa") {
		t.Errorf("skipped: got %+v", e.Skipped)
	}
	if got, want := e.Try[0], fmt.Sprintf("ssh-copy-id -p %d %s@127.0.0.1", s.port, w.user); got != want {
		t.Errorf("try: got %q, want %q", got, want)
	}
	if e.Stage != remote.StageAuth || e.User != w.user {
		t.Errorf("got stage %q, user %q", e.Stage, e.User)
	}
}

func TestNoKeyAtAll(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	w.trust(s)
	w.withoutDefault()
	cfg := s.config()
	cfg.Environment.AuthSock = w.path("nobody.sock")
	e := refused(t, cfg, remote.ErrAuth)
	if len(e.Tried) != 0 || len(e.Skipped) != 1 || !strings.HasPrefix(e.Skipped[0].Name, "the agent at ") {
		t.Errorf("tried %v, skipped %v", e.Tried, e.Skipped)
	}
}

// TestDeclaredKeyComesFirst: with more keys in the agent than sshd has patience
// for, the declared file is still offered.
func TestDeclaredKeyComesFirst(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	w.trust(s)
	w.withoutDefault()
	var many []string
	for i := range 8 {
		many = append(many, fmt.Sprintf("k%d", i))
		w.keygen(many[i], "ed25519", "")
	}
	cfg := s.config()
	cfg.Environment.AuthSock = w.agent(many...)
	cfg.KeyFile = w.path("key")
	dial(t, cfg).Close()

	cfg.KeyFile = ""
	e := refused(t, cfg, remote.ErrAuth)
	if len(e.Tried) != 6 || len(e.Skipped) != 2 {
		t.Errorf("tried %d, skipped %d; want 6 and 2", len(e.Tried), len(e.Skipped))
	}

	// IdentitiesOnly keeps the agent's other keys back, and lets it sign for the file's.
	w.write("home/.ssh/config", "Host 127.0.0.1\n  IdentitiesOnly yes\n  IdentityFile "+w.path("k7.pub")+"\n")
	w.write("authorized_keys", w.read("k7.pub"))
	dial(t, cfg).Close()
	w.write("authorized_keys", w.read("k6.pub"))
	e = refused(t, cfg, remote.ErrAuth)
	if len(e.Tried) != 1 || e.Tried[0].Fingerprint != w.fingerprint("k7") || !e.Tried[0].Agent {
		t.Errorf("tried %+v", e.Tried)
	}
}

func TestEncryptedKey(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	w.trust(s)
	w.keygen("locked", "ed25519", "secret")
	w.write("authorized_keys", w.read("locked.pub"))
	cfg := s.config()
	cfg.KeyFile = w.path("locked")
	e := refused(t, cfg, remote.ErrConfig)
	if diff := cmp.Diff([]string{"ssh-add " + w.path("locked")}, e.Try); diff != "" {
		t.Errorf("try -want +got:\n%s", diff)
	}
	if !strings.Contains(e.Error(), "SSH agent") {
		t.Errorf("the agent is not named: %v", e)
	}
	// With the agent holding it, the file is as good as an open one.
	w.write("copy", w.read("locked"))
	w.command("ssh-keygen", "-q", "-p", "-P", "secret", "-N", "", "-f", w.path("copy"))
	cfg.Environment.AuthSock = w.agent("copy")
	dial(t, cfg)
}

func TestUnusableKeyFile(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	w.trust(s)
	w.keygen("open", "ed25519", "")
	if err := os.Chmod(w.path("open"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.write("junk", "not a key\n")
	for _, tt := range []struct{ file, try string }{
		{"open", "chmod 600 " + w.path("open")},
		{"junk", ""},
		{"none", ""},
	} {
		cfg := s.config()
		cfg.KeyFile = w.path(tt.file)
		e := refused(t, cfg, remote.ErrConfig)
		if got := strings.Join(e.Try, "\n"); got != tt.try {
			t.Errorf("%s: try: got %q, want %q", tt.file, got, tt.try)
		}
	}
	if log := s.log.String(); strings.Contains(log, "Connection from") {
		t.Error("the host was contacted all the same")
	}
	// A default file that is too open is left out, and named.
	w.write("authorized_keys", "")
	if err := os.Chmod(w.path("home/.ssh/id_ed25519"), 0o640); err != nil {
		t.Fatal(err)
	}
	e := refused(t, s.config(), remote.ErrAuth)
	if len(e.Tried) != 0 || len(e.Skipped) != 1 || !strings.Contains(e.Skipped[0].Reason, "chmod 600 ~/.ssh/id_ed25519") {
		t.Errorf("tried %v, skipped %v", e.Tried, e.Skipped)
	}
}

func TestUserCertificate(t *testing.T) {
	w := newWorld(t)
	w.keygen("ca", "ed25519", "")
	w.keygen("mine", "rsa", "")
	w.command("ssh-keygen", "-q", "-s", w.path("ca"), "-I", "me", "-n", w.user, w.path("mine.pub"))
	w.write("authorized_keys", "")
	s := w.sshd([]string{"ed25519-host"}, "TrustedUserCAKeys "+w.path("ca.pub"))
	w.trust(s)
	cfg := s.config()
	cfg.KeyFile = w.path("mine")
	dial(t, cfg)
}

func TestJumpHost(t *testing.T) {
	w := newWorld(t)
	e := w.engine("d.sock")
	first := w.sshd([]string{"ed25519-first"})
	second := w.sshd([]string{"ed25519-second"})
	target := w.sshd([]string{"ed25519-host"})
	w.trust(first, second, target)
	cfg := target.config()
	cfg.JumpHost = fmt.Sprintf("%s@127.0.0.1:%d, %s@127.0.0.1:%d", w.user, first.port, w.user, second.port)
	c := dial(t, cfg)
	parallel(t, 20, func() error { return ping(t.Context(), c, e.path) })
	c.Close()
	for _, s := range []*sshd{first, second} {
		if log := s.log.String(); !strings.Contains(log, "direct-tcpip") {
			t.Errorf("not passed through port %d", s.port)
		}
	}

	// Each hop is judged like a host: one that is not known ends it there.
	w.trust(first, target)
	err := refused(t, cfg, remote.ErrHostKeyUnknown)
	if got, want := err.Address, fmt.Sprintf("127.0.0.1:%d", second.port); got != want {
		t.Errorf("address: got %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{fmt.Sprintf("%s@127.0.0.1:%d", w.user, first.port)}, err.Via); diff != "" {
		t.Errorf("via -want +got:\n%s", diff)
	}
	w.trust(first, second)
	if err := refused(t, cfg, remote.ErrHostKeyUnknown); err.HostKey.Offered.Fingerprint != w.fingerprint("ed25519-host") {
		t.Errorf("offered: got %+v", err.HostKey.Offered)
	}
	// A jump host that cannot reach the next, or may not.
	w.trust(first, second, target)
	cfg.Port = freePort(t)
	if err := refused(t, cfg, remote.ErrUnreachable); err.Stage != remote.StageDial || len(err.Via) != 2 {
		t.Errorf("got stage %q, via %q", err.Stage, err.Via)
	}
	closed := w.sshd([]string{"ed25519-closed"}, "AllowTcpForwarding no")
	w.trust(closed, target)
	cfg.Port, cfg.JumpHost = target.port, fmt.Sprintf("127.0.0.1:%d", closed.port)
	refused(t, cfg, remote.ErrForwardingRefused)
}

func TestJumpHostOfUserConfig(t *testing.T) {
	w := newWorld(t)
	jump := w.sshd([]string{"ed25519-jump"})
	target := w.sshd([]string{"ed25519-host"})
	w.trust(jump, target)
	w.write("home/.ssh/config", fmt.Sprintf("Host web1\n HostName 127.0.0.1\n Port %d\n ProxyJump bastion\nHost bastion\n HostName 127.0.0.1\n Port %d\n", target.port, jump.port))
	cfg := target.config()
	cfg.Address, cfg.Port = "web1", 0
	dial(t, cfg)
	if log := jump.log.String(); !strings.Contains(log, "direct-tcpip") {
		t.Error("not passed through the jump host")
	}
}
