package providertest

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// A port that nothing else on a host has: with the host's network it is the host's.
const echoPort = 17070

// listening makes a container that echoes on echoPort.
func (b *bench) listening(t *testing.T, edit ...func(*providers.CreateRequest)) string {
	t.Helper()
	id := b.started(t, append([]func(*providers.CreateRequest){command("listen", "17070")}, edit...)...)
	b.accepts(t, id)
	return id
}

// accepts waits until the container's program listens.
func (b *bench) accepts(t *testing.T, id string) {
	t.Helper()
	b.eventually(t, "it listens", func() bool {
		conn, err := b.Engine.Dial(b.ctx, id, echoPort)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// dialed opens a stream that the test closes.
func (b *bench) dialed(t *testing.T, id string) net.Conn {
	t.Helper()
	conn, err := b.Engine.Dial(b.ctx, id, echoPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// echoes checks that a stream leads to a container that echoes.
func echoes(t *testing.T, conn net.Conn) {
	t.Helper()
	const said = "through and back"
	if _, err := io.WriteString(conn, said); err != nil {
		t.Errorf("write: %v", err)
		return
	}
	got := make([]byte, len(said))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != said {
		t.Errorf("read: got %q, %v", got, err)
	}
}

func testDial(t *testing.T, b *bench) {
	id := b.listening(t)
	ctx, cancel := context.WithCancel(b.ctx)
	conn, err := b.Engine.Dial(ctx, id, echoPort)
	if err != nil {
		t.Fatal(err)
	}
	cancel() // bounds the opening only
	echoes(t, conn)
	echoes(t, b.dialed(t, id))
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	ok(t, "close", conn.Close())
	b.comesTo(t, "a read of a closed stream", ended)

	last := b.dialed(t, id)
	go func() {
		_, err := last.Read(make([]byte, 1))
		ended <- err
	}()
	ok(t, "stop", b.Engine.Stop(b.ctx, id, "", 10*time.Second))
	if err := b.comesTo(t, "a read when the container has ended", ended); errors.Is(err, providers.ErrUnreachable) {
		t.Errorf("the container ended, and the stream ends with %v", err)
	}
	_, err = b.Engine.Dial(b.ctx, id, echoPort)
	want(t, "dial what is stopped", err, providers.ErrNotRunning)
	ok(t, "remove", b.Engine.Remove(b.ctx, id))
	_, err = b.Engine.Dial(b.ctx, id, echoPort)
	want(t, "dial what is gone", err, providers.ErrNotFound)
	_, err = b.Engine.Dial(ctx, id, echoPort)
	if !errors.Is(err, context.Canceled) || errors.Is(err, providers.ErrRefused) || errors.Is(err, providers.ErrNotFound) {
		t.Errorf("dial with a context that has ended: got %v, want the context's error", err)
	}
}

// comesTo waits for an error that has to come.
func (b *bench) comesTo(t *testing.T, what string, errs <-chan error) error {
	t.Helper()
	select {
	case err := <-errs:
		if err == nil {
			t.Errorf("%s succeeds", what)
		}
		return err
	case <-b.ctx.Done():
		t.Fatalf("%s does not end", what)
	}
	return nil
}

func testDialRefused(t *testing.T, b *bench) {
	id := b.listening(t)
	_, err := b.Engine.Dial(b.ctx, id, echoPort+1)
	want(t, "another port", err, providers.ErrRefused)
	if errors.Is(err, providers.ErrUnreachable) {
		t.Errorf("a refusal is not the host's: %v", err)
	}
	ok(t, "pause", b.Pause(b.ctx, id))
	_, err = b.Engine.Dial(b.ctx, id, echoPort)
	want(t, "what is paused", err, providers.ErrNotRunning)
	ok(t, "unpause", b.Engine.Unpause(b.ctx, id))

	none := b.started(t, slot(1), command("listen", "17070"), func(r *providers.CreateRequest) { r.Spec.NetworkMode = "none" })
	_, err = b.Engine.Dial(b.ctx, none, echoPort)
	want(t, "without a network", err, providers.ErrRefused)
}

// A container that listens on the address of one of its networks is reached there, whichever it is.
func testDialNetworks(t *testing.T, b *bench) {
	app, back := b.network(t, "app"), b.network(t, "back")
	on := func(r *providers.CreateRequest) {
		r.Spec.Networks = []fleet.NetworkName{"app", "back"}
		r.Instance.Networks = map[string]string{"app": app, "back": back}
	}
	id := b.listening(t, on)
	echoes(t, b.dialed(t, id))
	for i, card := range []string{"eth0", "eth1"} {
		only := b.listening(t, on, slot(1+i), command("listen", "17070", card))
		echoes(t, b.dialed(t, only))
	}
	for _, n := range []string{app, back} {
		ok(t, "disconnect", b.Engine.Disconnect(b.ctx, id, n))
	}
	_, err := b.Engine.Dial(b.ctx, id, echoPort)
	want(t, "off all networks", err, providers.ErrRefused)
	ok(t, "connect", b.Engine.Connect(b.ctx, id, back, nil))
	echoes(t, b.dialed(t, id))
}

func testDialHostNetwork(t *testing.T, b *bench) {
	id := b.listening(t, command("listen", "17070", "127.0.0.1"), func(r *providers.CreateRequest) { r.Spec.NetworkMode = "host" })
	echoes(t, b.dialed(t, id))
	_, err := b.Engine.Dial(b.ctx, id, echoPort+1)
	want(t, "another port of the host", err, providers.ErrRefused)
}

// A container that is started again has another address when somebody took its old one meanwhile, and is reached at the new one.
func testDialRestarted(t *testing.T, b *bench) {
	first := b.listening(t)
	b.dialed(t, first) // whoever keeps addresses has this one now
	ok(t, "stop", b.Engine.Stop(b.ctx, first, "", 10*time.Second))
	second := b.started(t, slot(1), command("serve")) // takes the address and does not listen
	ok(t, "start again", b.Engine.Start(b.ctx, first))
	b.accepts(t, first)
	echoes(t, b.dialed(t, first))
	_, err := b.Engine.Dial(b.ctx, second, echoPort)
	want(t, "the other one", err, providers.ErrRefused)
}
