package ssh_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/providers/remote/ssh"
)

// untried reports whether the server was asked to authenticate anybody. What it
// looks for is in the log of every Dial that succeeds: TestKnownKey sees to that.
func (s *sshd) untried(t *testing.T) {
	t.Helper()
	// The server writes its last word when the connection is gone.
	s.w.await("the end of the connection", func() bool {
		log := s.log.String()
		return strings.Contains(log, "Connection closed by") || strings.Contains(log, "Connection reset by") || strings.Contains(log, "Unable to negotiate")
	})
	if log := s.log.String(); strings.Contains(log, "userauth-request") {
		t.Errorf("authentication was tried:\n%s", log)
	}
}

func TestKnownKey(t *testing.T) {
	_, s, _ := ready(t)
	if log := s.log.String(); !strings.Contains(log, "userauth-request for user") {
		t.Errorf("the log has no word of authentication:\n%s", log)
	}
}

func TestUnknownKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host", "rsa-host"})
	e := refused(t, s.config(), remote.ErrHostKeyUnknown)
	if e.Stage != remote.StageHostKey {
		t.Errorf("stage: got %q", e.Stage)
	}
	want := &remote.HostKey{
		Name:    fmt.Sprintf("[127.0.0.1]:%d", s.port),
		Offered: remote.Key{Type: "ssh-ed25519", Fingerprint: w.fingerprint("ed25519-host")},
		Files:   []string{"~/.ssh/known_hosts"},
	}
	if diff := cmp.Diff(want, e.HostKey); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(e.Try) == 0 || !strings.HasPrefix(e.Try[0], fmt.Sprintf("ssh -p %d %s@127.0.0.1", s.port, w.user)) {
		t.Errorf("try: got %q", e.Try)
	}
	if _, err := os.Stat(w.path("home/.ssh/known_hosts")); !os.IsNotExist(err) {
		t.Errorf("known_hosts was made: %v", err)
	}
	s.untried(t)
}

func TestChangedKeyIsRefusedBeforeAuthentication(t *testing.T) {
	for _, policy := range []fleet.HostKeyPolicy{fleet.HostKeyStrict, fleet.HostKeyAcceptNew} {
		t.Run(string(policy), func(t *testing.T) {
			w := newWorld(t)
			s := w.sshd([]string{"ed25519-host"})
			w.keygen("ed25519-old", "ed25519", "")
			known := "# a comment\n" + s.known("ed25519-old")
			w.write("home/.ssh/known_hosts", known)
			cfg := s.config()
			cfg.HostKey = policy
			e := refused(t, cfg, remote.ErrHostKeyChanged)
			want := &remote.HostKey{
				Name:    fmt.Sprintf("[127.0.0.1]:%d", s.port),
				Offered: remote.Key{Type: "ssh-ed25519", Fingerprint: w.fingerprint("ed25519-host")},
				Recorded: []remote.RecordedKey{{
					Key:  remote.Key{Type: "ssh-ed25519", Fingerprint: w.fingerprint("ed25519-old")},
					File: "~/.ssh/known_hosts", Line: 2,
				}},
				Files: []string{"~/.ssh/known_hosts"},
			}
			if diff := cmp.Diff(want, e.HostKey); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := w.read("home/.ssh/known_hosts"); got != known {
				t.Errorf("known_hosts was changed to\n%s", got)
			}
			s.untried(t)
		})
	}
}

func TestAcceptNew(t *testing.T) {
	for _, hash := range []bool{false, true} {
		t.Run(fmt.Sprintf("hash=%v", hash), func(t *testing.T) {
			w := newWorld(t)
			other := w.sshd([]string{"ed25519-other"})
			before := strings.TrimSuffix(other.known("ed25519-other"), "\n") // no newline at the end
			w.write("home/.ssh/known_hosts", before)
			if hash {
				w.write("home/.ssh/config", "HashKnownHosts yes\n")
			}
			s := w.sshd([]string{"ed25519-host"})
			cfg := s.config()
			cfg.HostKey = fleet.HostKeyAcceptNew
			dial(t, cfg).Close()
			got := w.read("home/.ssh/known_hosts")
			if hash {
				if !strings.HasPrefix(got, before+"\n|1|") {
					t.Errorf("known_hosts:\n%s", got)
				}
			} else if diff := cmp.Diff(before+"\n"+s.known("ed25519-host"), got); diff != "" {
				t.Errorf("known_hosts -want +got:\n%s", diff)
			}
			w.command("ssh-keygen", "-F", fmt.Sprintf("[127.0.0.1]:%d", s.port), "-f", w.path("home/.ssh/known_hosts"))

			dial(t, cfg).Close() // known now
			if again := w.read("home/.ssh/known_hosts"); again != got {
				t.Errorf("recorded twice:\n%s", again)
			}
			cfg.HostKey = fleet.HostKeyStrict
			dial(t, cfg).Close()

			s.stop()
			cfg.HostKey = fleet.HostKeyAcceptNew
			changed := w.sshdAt(s.port, nil, []string{"ed25519-new"})
			refused(t, cfg, remote.ErrHostKeyChanged)
			changed.untried(t)
			if again := w.read("home/.ssh/known_hosts"); again != got {
				t.Errorf("known_hosts was changed:\n%s", again)
			}
		})
	}
}

// TestAcceptNewAtOnce: several first connections record one line, and the file
// and its directory are made private.
func TestAcceptNewAtOnce(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"}, "MaxStartups 100")
	cfg := s.config()
	cfg.HostKey, cfg.KnownHosts = fleet.HostKeyAcceptNew, "~/new/known"
	parallel(t, 8, func() error {
		c, err := ssh.Dial(t.Context(), cfg)
		if err != nil {
			return err
		}
		return c.Close()
	})
	if got, want := w.read("home/new/known"), s.known("ed25519-host"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if info, err := os.Stat(w.path("home/new/known")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v, %v", info.Mode(), err)
	}
}

func TestAcceptNewThatCannotBeRecorded(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	w.write("file", "")
	cfg := s.config()
	cfg.HostKey, cfg.KnownHosts = fleet.HostKeyAcceptNew, w.path("file/known")
	if c, err := ssh.Dial(t.Context(), cfg); err == nil {
		c.Close()
		t.Error("connected")
	}
}

// TestRecordedTypeIsAskedFor: whichever of the server's keys is the recorded one,
// the connection stands.
func TestRecordedTypeIsAskedFor(t *testing.T) {
	w := newWorld(t)
	keys := []string{"ed25519-host", "ecdsa-host", "rsa-host"}
	s := w.sshd(keys)
	for _, key := range keys {
		w.write("home/.ssh/known_hosts", s.known(key))
		dial(t, s.config()).Close()
	}
	name := fmt.Sprintf("[127.0.0.1]:%d", s.port)
	w.command("ssh-keygen", "-q", "-H", "-f", w.path("home/.ssh/known_hosts"))
	if got := w.read("home/.ssh/known_hosts"); strings.Contains(got, name) {
		t.Fatalf("not hashed: %s", got)
	}
	dial(t, s.config()).Close()
}

// TestRecordedTypeIsGone: a host that lost the recorded key is a changed one, not
// one without a common algorithm.
func TestRecordedTypeIsGone(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	w.keygen("rsa-old", "rsa", "")
	w.write("home/.ssh/known_hosts", s.known("rsa-old"))
	e := refused(t, s.config(), remote.ErrHostKeyChanged)
	if got := e.HostKey.Recorded[0].Type; got != "ssh-rsa" {
		t.Errorf("recorded: got %q", got)
	}
	s.untried(t)
}

func TestRevokedKey(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	w.write("home/.ssh/known_hosts", s.known("ed25519-host")+"@revoked * "+strings.SplitN(s.known("ed25519-host"), " ", 2)[1])
	e := refused(t, s.config(), remote.ErrHostKeyChanged)
	if len(e.HostKey.Recorded) != 1 || !e.HostKey.Recorded[0].Revoked || e.HostKey.Recorded[0].Line != 2 {
		t.Errorf("recorded: got %+v", e.HostKey.Recorded)
	}
	s.untried(t)
}

func TestCertificateAuthority(t *testing.T) {
	w := newWorld(t)
	w.keygen("ca", "ed25519", "")
	w.keygen("ed25519-host", "ed25519", "")
	w.command("ssh-keygen", "-q", "-s", w.path("ca"), "-I", "host", "-h", "-n", "127.0.0.1", w.path("ed25519-host.pub"))
	ca := "@cert-authority * " + w.read("ca.pub")
	w.write("home/.ssh/known_hosts", ca)
	signed := w.sshd([]string{"ed25519-host"}, "HostCertificate "+w.path("ed25519-host-cert.pub"))
	dial(t, signed.config()).Close()

	// A host without a certificate is unknown, not changed, and can be accepted.
	plain := w.sshd([]string{"ed25519-plain"})
	refused(t, plain.config(), remote.ErrHostKeyUnknown)
	cfg := plain.config()
	cfg.HostKey = fleet.HostKeyAcceptNew
	dial(t, cfg).Close()
	if got, want := w.read("home/.ssh/known_hosts"), ca+plain.known("ed25519-plain"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}

	// A certificate for another name does not vouch for this one.
	w.command("ssh-keygen", "-q", "-s", w.path("ca"), "-I", "host", "-h", "-n", "other", w.path("ed25519-host.pub"))
	stranger := w.sshd([]string{"ed25519-host"}, "HostCertificate "+w.path("ed25519-host-cert.pub"))
	refused(t, stranger.config(), remote.ErrHostKeyUnknown)
}

func TestDamagedKnownHosts(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	w.write("home/.ssh/known_hosts", s.known("ed25519-host")+"web2 ssh-ed25519 !!!\n")
	e := refused(t, s.config(), remote.ErrConfig)
	if !strings.Contains(e.Error(), "known_hosts:2") {
		t.Errorf("the place is not named: %v", e)
	}
}

func TestWeakServerIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{
		"Ciphers aes128-cbc", "KexAlgorithms diffie-hellman-group14-sha1", "MACs hmac-sha1\nCiphers aes128-ctr",
		"HostKeyAlgorithms ssh-rsa",
	} {
		s := w.sshd([]string{"rsa-host"}, line)
		w.trust(s)
		if e := refused(t, s.config(), remote.ErrUnreachable); e.Stage != remote.StageHandshake {
			t.Errorf("%s: stage %q", line, e.Stage)
		}
		s.untried(t)
	}
	w.command("ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", w.path("rsa-short"))
	s := w.sshd([]string{"rsa-short"}, "RequiredRSASize 1024")
	w.trust(s)
	refused(t, s.config(), remote.ErrHostKeyUnknown)
	s.untried(t)
}
