package ssh

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
	gossh "golang.org/x/crypto/ssh"
)

// clientVersion is what we say we are; it must begin so.
const clientVersion = "SSH-2.0-stowage"

// Dial connects to the host, through its jump hosts. It costs one TCP connection
// and one handshake a hop; nothing is asked of the host after that. Each stage of
// each hop is bounded by the timeout, and all of it by ctx, which has no say any
// more once Dial has returned. Every error is a [*remote.Error]; nothing is tried
// twice.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	hops, err := resolve(cfg)
	if err != nil {
		return nil, configError(cfg, err)
	}
	d := &dialer{cfg: cfg, guard: newGuard(ctx)}
	defer d.guard.cancel(nil)
	for _, h := range hops {
		if err := d.hop(h); err != nil {
			d.guard.finish()
			d.abandon()
			return nil, err
		}
	}
	d.guard.finish()
	if !d.release() { // a deadline fired between the last stage and here
		d.abandon()
		return nil, d.fail(hops[len(hops)-1], remote.StageAuth, d.guard.ctx.Err())
	}
	return newConn(cfg, hops, d), nil
}

// dialer is one Dial under way.
type dialer struct {
	cfg     Config
	guard   *guard
	root    net.Conn        // the TCP connection; closing it ends all
	release func() bool     // unties root from the guard; false when it was closed
	clients []*gossh.Client // one a hop passed
	passed  []hop
	wire    *wire // of the last hop
}

// abandon closes what stands, the TCP connection first: nothing can block after.
func (d *dialer) abandon() {
	if d.root != nil {
		d.root.Close()
	}
	for _, c := range d.clients {
		c.Close()
		_ = c.Wait() // it ended because we closed it
	}
}

// hop takes the next hop.
func (d *dialer) hop(h hop) error {
	verifier, err := newVerifier(d.cfg, h)
	if err != nil {
		return configError(d.cfg, err)
	}
	ids, err := d.identities(h)
	if err != nil {
		return d.keyError(err)
	}
	defer ids.close()

	d.guard.enter(remote.StageDial, h.timeout)
	conn, err := d.connect(h)
	if err != nil {
		return d.fail(h, remote.StageDial, err)
	}
	d.wire = &wire{Conn: conn}
	d.guard.enter(remote.StageHandshake, h.timeout)
	var methods []string
	config := &gossh.ClientConfig{
		Config:            algorithms(),
		User:              h.user,
		ClientVersion:     clientVersion,
		HostKeyAlgorithms: verifier.algorithms(),
		HostKeyCallback: func(_ string, addr net.Addr, key gossh.PublicKey) error {
			if err := verifier.check(d.guard.ctx, addr, key); err != nil {
				return err
			}
			ids.extend(h.timeout)
			d.guard.enter(remote.StageAuth, h.timeout)
			return nil
		},
		Auth: []gossh.AuthMethod{gossh.PublicKeys(ids.signers()...)},
		AuthCallback: func(ctx *gossh.ClientAuthContext) (gossh.AuthMethod, error) {
			methods = ctx.AllowedMethods
			return nil, nil
		},
	}
	sc, chans, reqs, err := gossh.NewClientConn(d.wire, h.lookup(), config)
	if verifier.err != nil {
		e := verifier.err
		e.Via = d.via()
		return e
	}
	if err != nil {
		return d.handshakeError(h, ids, methods, err)
	}
	d.clients = append(d.clients, gossh.NewClient(sc, chans, reqs))
	d.passed = append(d.passed, h)
	return nil
}

// identities asks the agent and reads the key files, within the timeout.
func (d *dialer) identities(h hop) (*identities, error) {
	ctx, cancel := context.WithTimeout(d.guard.ctx, h.timeout)
	defer cancel()
	return collect(ctx, d.cfg.Environment, h)
}

// connect makes the stream to the hop: TCP for the first, a channel of the hop
// before it for the others.
func (d *dialer) connect(h hop) (net.Conn, error) {
	if len(d.clients) > 0 {
		return d.clients[len(d.clients)-1].DialContext(d.guard.ctx, "tcp", h.addr())
	}
	dial := d.cfg.Environment.DialContext
	if dial == nil {
		var nd net.Dialer
		dial = nd.DialContext
	}
	conn, err := dial(d.guard.ctx, "tcp", h.addr())
	if err != nil {
		return nil, err
	}
	d.root = conn
	d.release = context.AfterFunc(d.guard.ctx, func() { conn.Close() })
	return conn, nil
}

func (d *dialer) via() []string {
	var names []string
	for _, h := range d.passed {
		names = append(names, h.String())
	}
	return names
}

// keyError words a declared key file that cannot be used.
func (d *dialer) keyError(err error) error {
	e := configError(d.cfg, err)
	if ke, ok := errors.AsType[*keyError](err); ok && ke.try != "" {
		e.Try = []string{ke.try}
	}
	return e
}

// fail words a stage that did not end well for the network's reasons.
func (d *dialer) fail(h hop, stage remote.Stage, err error) *remote.Error {
	e := &remote.Error{Host: d.cfg.Host, Stage: stage, Class: remote.ErrUnreachable, User: h.user, Address: h.addr(), Via: d.via(), Err: err}
	switch cause := context.Cause(d.guard.ctx); {
	case cause == nil:
	case errors.Is(cause, errStageLate):
		e.Timeout, e.Err = h.timeout, cause
		e.Detail = "no answer"
	default: // the caller's context
		e.Err = cause
		if errors.Is(cause, context.Canceled) {
			e.Class, e.Op = nil, "connect"
		}
	}
	if refused, ok := errors.AsType[*gossh.OpenChannelError](err); ok && refused.Reason == gossh.Prohibited {
		e.Class = remote.ErrForwardingRefused
		e.Detail = "the jump host " + d.passed[len(d.passed)-1].String() + " does not forward to " + h.addr()
		e.Try = []string{"AllowTcpForwarding yes  in the jump host's sshd_config"}
	}
	return e
}

// handshakeError words a handshake that failed, by how far it went.
func (d *dialer) handshakeError(h hop, ids *identities, methods []string, err error) error {
	stage := d.guard.current()
	e := d.fail(h, stage, err)
	if d.guard.ctx.Err() != nil || stage != remote.StageAuth {
		return e
	}
	// Refused is only what the host has said. A connection that broke says nothing.
	if d.wire.failed.Load() {
		return e
	}
	e.Class, e.Tried, e.Skipped, e.Methods = remote.ErrAuth, ids.tried, ids.skipped, methods
	e.Detail = "none of our keys was accepted"
	if ids.unsigned != nil {
		e.Detail = ids.unsigned.Error()
	} else if len(ids.list) == 0 {
		e.Detail = "there is no key to offer"
	}
	e.Try = []string{copyID(h), `set  ssh { user = ".." key_file = ".." }`}
	return e
}

func copyID(h hop) string {
	port := ""
	if h.port != 22 {
		_, p, _ := net.SplitHostPort(h.addr())
		port = "-p " + p + " "
	}
	return "ssh-copy-id " + port + h.user + "@" + h.host
}

// extend gives the agent as long as the stage that uses it.
func (ids *identities) extend(limit time.Duration) {
	if ids.agent != nil {
		_ = ids.agent.SetDeadline(time.Now().Add(limit))
	}
}
