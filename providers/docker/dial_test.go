package docker_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/providers/remote/local"
)

// echoing starts a container that echoes on port 7070, and waits until it does.
func echoing(t *testing.T, e providers.Engine) string {
	t.Helper()
	r := request()
	r.Spec.Command = []string{"listen", "7070"}
	id, err := e.Create(t.Context(), r)
	if err == nil {
		err = e.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "it listens", func() bool {
		conn, err := e.Dial(t.Context(), id, 7070)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return id
}

// A stream that is cut with the connection to the host says so, and one that cannot be opened for it as well.
func TestDialLostConnection(t *testing.T) {
	h, _ := shared.hosts(t)
	sweep(t, h)
	here := overSocket(t, h)
	f := &faulty{Conn: &inside{local.New(h.Name), h}}
	e := engine(t, f, h.Socket)
	id := echoing(t, here)
	conn, err := e.Dial(t.Context(), id, 7070)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	f.set(false, true)
	if _, err := io.WriteString(conn, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, providers.ErrUnreachable) || errors.Is(err, io.EOF) {
		t.Errorf("a read of a lost stream: got %v, want ErrUnreachable", err)
	}
	f.set(true, false)
	if _, err := e.Dial(t.Context(), id, 7070); !errors.Is(err, providers.ErrUnreachable) || errors.Is(err, providers.ErrRefused) {
		t.Errorf("dial through a lost connection: got %v, want ErrUnreachable", err)
	}
	f.set(false, false)

	conn, err = here.Dial(t.Context(), id, 7070)
	if err != nil {
		t.Fatal(err)
	}
	here.Close()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, providers.ErrUnreachable) {
		t.Errorf("a read of a stream whose engine was closed: got %v, want ErrUnreachable", err)
	}
}

// A container that is in another one's network is reached at that one's address.
func TestDialJoinedNetwork(t *testing.T) {
	h, _ := shared.hosts(t)
	sweep(t, h)
	e := overSocket(t, h)
	owner := echoing(t, e)
	made, err := h.API().ContainerCreate(t.Context(), &container.Config{Image: shared.image.ID},
		&container.HostConfig{NetworkMode: container.NetworkMode("container:" + owner)}, nil, nil, "own-joined")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Remove(t.Context(), made.ID); err != nil {
			t.Error(err)
		}
	}()
	if err := e.Start(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	conn, err := e.Dial(t.Context(), made.ID, 7070)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if c, err := e.Inspect(t.Context(), made.ID); err != nil || c.Phase != fleet.PhaseRunning {
		t.Errorf("got %s, %v", c.Phase, err)
	}
}

// An sshd that forwards no TCP stands between us and the container: that is no word on the container.
func TestDialForwardingRefused(t *testing.T) {
	h, _ := shared.hosts(t)
	sweep(t, h)
	e := engine(t, closed{local.New(h.Name)}, h.Socket)
	_, err := e.Dial(t.Context(), echoing(t, overSocket(t, h)), 7070)
	if !errors.Is(err, providers.ErrUnreachable) || !errors.Is(err, remote.ErrForwardingRefused) || errors.Is(err, providers.ErrRefused) {
		t.Errorf("got %v, want ErrUnreachable with what sshd refused", err)
	}
}

// closed is a connection to a host with AllowTcpForwarding no.
type closed struct{ *local.Conn }

func (c closed) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if network == "tcp" {
		return nil, &remote.Error{Host: "h1", Stage: remote.StageChannel, Class: remote.ErrForwardingRefused, Op: "open " + addr}
	}
	return c.Conn.DialContext(ctx, network, addr)
}

// Where sshd forwards no sockets the engine is reached through a program on the host, and containers as ever.
func TestDialWithoutSocketForwarding(t *testing.T) {
	h, _ := shared.hosts(t)
	sweep(t, h)
	id := echoing(t, overSocket(t, h))
	if err := h.RefuseForwarding(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.AllowForwarding(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	conn, err := overSSH(t, h).Dial(t.Context(), id, 7070)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
