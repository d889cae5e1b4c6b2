package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/docker"
	"github.com/stowage-run/stowage/providers/registry"
	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/providers/remote/local"
	"github.com/stowage-run/stowage/providers/remote/ssh"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/bolt"
)

// This file is where concrete stores, transports and engines are put together; no other package knows them.

// outside is how a command reaches what is beyond its process: its state and its hosts. It is a value that Main is given, so
// that a test can let a process end at each write and around each request.
type outside struct {
	openStore func(config.Settings) (state.Store, error)
	dial      dialer
}

// dialer reaches a host; env gives a variable of the environment, empty where it is not set.
type dialer func(ctx context.Context, h fleet.Host, env func(string) string) (remote.Conn, error)

// theOutside is what there really is.
func theOutside() outside { return outside{openStore: openStore, dial: dial} }

// openStore opens the state that the settings name.
func openStore(s config.Settings) (state.Store, error) {
	return bolt.Open(s.StatePath, s.Fleet)
}

// connect reaches a host and its engine.
func (a *app) connect(ctx context.Context, h fleet.Host) (providers.Engine, error) {
	conn, err := a.outside.dial(ctx, h, a.env)
	if err != nil {
		return nil, err
	}
	socket := h.Engine.Socket
	if socket == "" {
		socket = a.defaultSocket(h)
	}
	e, err := docker.New(ctx, docker.Config{Conn: conn, Socket: socket})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return e, nil
}

// dial reaches a host: this machine directly, others over SSH.
func dial(ctx context.Context, h fleet.Host, env func(string) string) (remote.Conn, error) {
	if h.Local() {
		return local.New(string(h.Name)), nil
	}
	return ssh.Dial(ctx, ssh.Config{
		Host: string(h.Name), Address: h.Address, Port: h.SSH.Port, User: h.SSH.User,
		KeyFile: h.SSH.KeyFile, KnownHosts: h.SSH.KnownHosts, HostKey: h.SSH.HostKey,
		JumpHost: h.SSH.JumpHost, Timeout: h.SSH.Timeout,
		Environment: ssh.Surroundings(homeDir(), userName(), env("SSH_AUTH_SOCK")),
	})
}

// defaultSocket is where a host's engine listens when the configuration does not say: for this machine what DOCKER_HOST
// names, as the docker command has it.
func (a *app) defaultSocket(h fleet.Host) string {
	if s, ok := strings.CutPrefix(a.env("DOCKER_HOST"), "unix://"); ok && h.Local() {
		return s
	}
	return docker.DefaultSocket
}

// homeDir is the user's, or empty where there is none: what would be read from it is then not there.
func homeDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return home
}

func newRegistry() providers.Registry { return registry.New(registry.Config{}) }

// localEngine is this machine's own engine, from which images are sent that no registry has. It is connected when it is
// first needed; a machine without one has nothing to send.
type localEngine struct {
	connect func(context.Context, fleet.Host) (providers.Engine, error)

	mu  sync.Mutex // guards what follows
	got providers.Engine
}

// engine returns the engine, or an error that is providers.ErrUnreachable where there is none.
func (l *localEngine) engine(ctx context.Context) (providers.Engine, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.got != nil {
		return l.got, nil
	}
	e, err := l.connect(ctx, fleet.Host{Name: "localhost"})
	if err != nil {
		return nil, fmt.Errorf("the engine of this machine: %w", err)
	}
	l.got = e
	return e, nil
}

// close gives the connection back.
func (l *localEngine) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.got != nil {
		l.got.Close()
	}
}
