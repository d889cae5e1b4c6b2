package docker_test

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/docker"
	"github.com/stowage-run/stowage/providers/providertest"
	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/providers/remote/local"
	"github.com/stowage-run/stowage/providers/remote/ssh"
)

// lab is the package's two hosts. The second one never has the probe's image until a test sends it.
type lab struct {
	testfleet.Shared
	once  sync.Once
	image fleet.Image
	err   error
}

var shared = &lab{Shared: testfleet.Shared{Hosts: 2}}

func TestMain(m *testing.M) { shared.Main(m) }

const probeRef = "stowage-probe:1"

// hosts returns the two hosts, the first one with the probe's image.
func (l *lab) hosts(t *testing.T) (with, without *testfleet.Host) {
	t.Helper()
	f := l.Fleet(t)
	with, without = f.Hosts[0], f.Hosts[1]
	l.once.Do(func() {
		archive := filepath.Join(t.TempDir(), "probe.tar")
		if l.image, l.err = providertest.BuildImage(t.Context(), probeRef, archive); l.err == nil {
			l.err = with.LoadImage(t.Context(), archive)
		}
	})
	if l.err != nil {
		t.Fatal(l.err)
	}
	return with, without
}

// wrap puts something around a connection.
type wrap func(remote.Conn) remote.Conn

func wrapped(c remote.Conn, wraps []wrap) remote.Conn {
	for _, w := range wraps {
		c = w(c)
	}
	return c
}

// overSocket connects to a host's engine as to this machine's.
func overSocket(t *testing.T, h *testfleet.Host, wraps ...wrap) *docker.Engine {
	t.Helper()
	return engine(t, wrapped(&inside{local.New(h.Name), h}, wraps), h.Socket)
}

// inside is the connection to this machine as a process on the host has it: the host's network is its own.
type inside struct {
	*local.Conn
	host *testfleet.Host
}

func (i *inside) DialContext(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	if network != "tcp" {
		return i.Conn.DialContext(ctx, network, addr)
	}
	within := i.host.Within(func() { conn, err = i.Conn.DialContext(ctx, network, addr) })
	if within != nil {
		return nil, within
	}
	return conn, err
}

func engine(t *testing.T, c remote.Conn, socket string) *docker.Engine {
	t.Helper()
	e, err := docker.New(t.Context(), docker.Config{Conn: c, Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// overSSH connects to a host's engine over SSH.
func overSSH(t *testing.T, h *testfleet.Host, wraps ...wrap) *docker.Engine {
	t.Helper()
	f := shared.Fleet(t)
	conn, err := ssh.Dial(t.Context(), ssh.Config{
		Host: h.Name, Address: h.Addr, User: "root", KeyFile: f.KeyFile, KnownHosts: f.KnownHosts,
		Environment: ssh.Environment{Home: t.TempDir(), User: "root"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return engine(t, wrapped(conn, wraps), "")
}

func TestEngine(t *testing.T) {
	for name, connect := range map[string]func(*testing.T, *testfleet.Host, ...wrap) *docker.Engine{
		"socket": overSocket, "ssh": overSSH,
	} {
		t.Run(name, func(t *testing.T) {
			with, without := shared.hosts(t)
			providertest.Run(t, func(t *testing.T) providertest.Subject {
				var cuts *cuttable
				e := connect(t, with, func(c remote.Conn) remote.Conn {
					cuts = &cuttable{Conn: c}
					return cuts
				})
				return providertest.Subject{
					Engine: e, Other: connect(t, without), Image: shared.image,
					CutEvents: func(*testing.T) { cuts.cut() },
					RestartEngine: func(ctx context.Context) error {
						if err := with.KillEngine(ctx); err != nil {
							return err
						}
						return with.StartEngine(ctx)
					},
					Leaves: []goleak.Option{goleak.IgnoreAnyFunction("github.com/stowage-run/stowage/internal/testfleet.startOwned.func1")},
					Pause: func(ctx context.Context, id string) error {
						return with.API().ContainerPause(ctx, id)
					},
				}
			})
		})
	}
}

var _ providers.Living = (*docker.Engine)(nil)
