package testfleet_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/internal/webimage"
)

var shared = testfleet.Shared{Hosts: 3}

func TestMain(m *testing.M) { shared.Main(m) }

// connect opens an SSH connection as the fleet's files allow it.
func connect(ctx context.Context, f *testfleet.Fleet, h *testfleet.Host) (*ssh.Client, error) {
	key, err := os.ReadFile(f.KeyFile)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		return nil, err
	}
	known, err := knownhosts.New(f.KnownHosts)
	if err != nil {
		return nil, err
	}
	tcp, err := dial(ctx, h.SSHAddr())
	if err != nil {
		return nil, err
	}
	conn, channels, requests, err := ssh.NewClientConn(tcp, h.SSHAddr(), &ssh.ClientConfig{
		User:              "root",
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   known,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	})
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(conn, channels, requests), nil
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	return dialer.DialContext(ctx, "tcp", address)
}

func mustConnect(t *testing.T, f *testfleet.Fleet, h *testfleet.Host) *ssh.Client {
	t.Helper()
	c, err := connect(t.Context(), f, h)
	if err != nil {
		t.Fatalf("connect to %s: %v", h.Name, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// direct is a client that keeps no connection, so that each request tells of now.
func direct() *http.Client {
	return &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

func docker(t *testing.T, h *testfleet.Host, args ...string) string {
	t.Helper()
	out, err := h.Docker(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var webArchive = sync.OnceValues(func() ([]byte, error) {
	return webimage.Image{Tag: "web:1", Version: "1"}.Archive(context.Background())
})

func loadWeb(t *testing.T, h *testfleet.Host) {
	t.Helper()
	archive, err := webArchive()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "web.tar")
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.LoadImage(t.Context(), path); err != nil {
		t.Fatal(err)
	}
}

// runWeb runs the example on a host until the test ends.
func runWeb(t *testing.T, h *testfleet.Host, args ...string) {
	t.Helper()
	loadWeb(t, h)
	docker(t, h, append(append([]string{"run", "-d", "--name", "web"}, args...), "web:1")...)
	t.Cleanup(func() {
		if _, err := h.Docker(context.WithoutCancel(t.Context()), "rm", "-f", "web"); err != nil {
			t.Error(err)
		}
	})
}

// eventually asks f until it succeeds; a test fails when that takes too long.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	end := time.After(20 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func TestEngineAnswersThroughSSH(t *testing.T) {
	f := shared.Fleet(t)
	for _, h := range f.Hosts {
		c := mustConnect(t, f, h)
		session, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out, err := session.CombinedOutput("hostname")
		if err != nil {
			t.Fatalf("hostname on %s: %v", h.Name, err)
		}
		if got := strings.TrimSpace(string(out)); got != h.Name {
			t.Errorf("hostname of %s is %q", h.Name, got)
		}
		tunnel := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.DialContext(ctx, "unix", "/var/run/docker.sock")
		}
		engine := &http.Client{Transport: &http.Transport{DialContext: tunnel}}
		info, err := get(t.Context(), engine, "http://engine/info")
		if err != nil {
			t.Fatalf("engine of %s: %v", h.Name, err)
		}
		if !strings.Contains(info, `"Name":"`+h.Name+`"`) {
			t.Errorf("socket on %s leads to another engine: %.300s", h.Name, info)
		}
	}
}

func TestEveryEngineHasItsOwnID(t *testing.T) {
	f := shared.Fleet(t)
	seen := map[string]string{}
	for _, h := range f.Hosts {
		info, err := h.API().Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[info.ID]; ok || info.ID == "" {
			t.Errorf("%s has engine id %q, as %s has", h.Name, info.ID, other)
		}
		seen[info.ID] = h.Name
	}
}

func TestHostsReachEachOther(t *testing.T) {
	f := shared.Fleet(t)
	for _, from := range f.Hosts {
		for _, to := range f.Hosts {
			conn, err := from.Dial(t.Context(), "tcp4", to.SSHAddr())
			if err != nil {
				t.Errorf("%s to %s: %v", from.Name, to.Name, err)
				continue
			}
			conn.Close()
		}
	}
}

func TestPublishedPortAndLink(t *testing.T) {
	f := shared.Fleet(t)
	h, url := f.Hosts[0], "http://"+f.Hosts[0].Addr+":8081/"
	runWeb(t, h, "-p", "8081:8080", "-e", "MESSAGE=ahoy", "--hostname", "web")
	want := "host: web\nMESSAGE: ahoy\nversion: 1\n"
	reach := func() error {
		got, err := get(t.Context(), direct(), url)
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		return err
	}
	eventually(t, "reach published port", reach)
	if err := h.CutLink(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.RestoreLink(context.WithoutCancel(t.Context())) })
	if reach() == nil {
		t.Error("published port answers over a cut link")
	}
	if got := docker(t, h, "ps", "--format", "{{.Names}}"); got != "web" {
		t.Errorf("containers while the link is cut: %q", got)
	}
	if err := h.RestoreLink(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "reach published port over the restored link", reach)
}

func TestFrozenEngineAcceptsAndIsSilent(t *testing.T) {
	h := shared.Fleet(t).Hosts[1]
	ping := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := h.API().Ping(ctx)
		return err
	}
	if err := h.FreezeEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ping() == nil {
		t.Error("frozen engine answers")
	}
	if conn, err := net.Dial("unix", h.Socket); err != nil {
		t.Errorf("frozen engine refuses: %v", err)
	} else {
		conn.Close()
	}
	if err := h.ThawEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "thawed engine", ping)
}

func TestKillEngineWhileFrozen(t *testing.T) {
	h := shared.Fleet(t).Hosts[1]
	if err := h.FreezeEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.KillEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("unix", h.Socket); err == nil {
		conn.Close()
		t.Error("killed engine accepts")
	}
	if err := h.StartEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	docker(t, h, "ps")
}

func TestRebootRestartsWhatItShould(t *testing.T) {
	f := shared.Fleet(t)
	h := f.Hosts[2]
	runWeb(t, h, "--restart", "always")
	docker(t, h, "run", "-d", "--name", "once", "web:1")
	if err := h.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "container with a restart policy", func() error {
		if got := docker(t, h, "ps", "--format", "{{.Names}}"); got != "web" {
			return io.ErrUnexpectedEOF
		}
		return nil
	})
	docker(t, h, "rm", "once")
	mustConnect(t, f, h)
}

func TestHostKeyAndForwarding(t *testing.T) {
	f := shared.Fleet(t)
	h, ctx := f.Hosts[1], t.Context()
	if err := h.ChangeHostKey(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(ctx, f, h); err == nil || !strings.Contains(err.Error(), "key mismatch") {
		t.Errorf("connect with a changed host key: %v", err)
	}
	if err := h.RestoreHostKey(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.RefuseForwarding(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := mustConnect(t, f, h).Dial("unix", "/var/run/docker.sock"); err == nil {
		t.Error("sshd forwards though it should refuse")
	}
	if err := h.AllowForwarding(ctx); err != nil {
		t.Fatal(err)
	}
	conn, err := mustConnect(t, f, h).Dial("unix", "/var/run/docker.sock")
	if err != nil {
		t.Fatalf("sshd does not forward again: %v", err)
	}
	conn.Close()
}

func TestHCL(t *testing.T) {
	f := shared.Fleet(t)
	want := `host "h1" {
  address = "` + f.Hosts[0].Addr + `"
  ssh {
    user        = "root"
    key_file    = "` + f.KeyFile + `"
    known_hosts = "` + f.KnownHosts + `"
  }
}
`
	if diff := cmp.Diff(want, f.Hosts[0].HCL()); diff != "" {
		t.Errorf("block (-want +got):\n%s", diff)
	}
	if got := bytes.Count([]byte(f.HCL()), []byte("host \"")); got != 3 {
		t.Errorf("%d host blocks, want 3", got)
	}
}
