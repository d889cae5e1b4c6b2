package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/stowage-run/stowage/providers/remote"
)

// probeScript tells what is at the path $1, as the account sees it. sshd words a
// refused forwarding, a missing socket and a socket without a listener all alike
// ("open failed"), so they are told apart by looking. It holds no single quote,
// backslash or newline, so that it passes any login shell, and it prints marked
// lines, for login scripts may print too. hidden is a path below a directory that
// may not be entered.
const probeScript = `m=stowage-probe; p=$1; ` +
	`if test -S "$p"; then echo $m kind socket; elif test -e "$p"; then echo $m kind other; else ` +
	`d=${p%/*}; while test -n "$d" && ! test -e "$d"; do d=${d%/*}; done; ` +
	`if test -x "${d:-/}"; then echo $m kind missing; else echo $m kind hidden; fi; fi; ` +
	`if test -r "$p" && test -w "$p"; then echo $m access yes; fi; ` +
	`echo $m user $(id -un); echo $m groups $(id -Gn); echo $m owner $(ls -ld -- "$p" 2>/dev/null); ` +
	`if command -v docker >/dev/null 2>&1; then echo $m docker yes; fi; ` +
	`q=$(readlink -f "$p" 2>/dev/null); ` +
	`if grep -q -F -e " $p" -e " ${q:-$p}" /proc/net/unix 2>/dev/null; then echo $m listening yes; fi; ` +
	`echo $m end yes`

// probe is what the script found.
type probe struct {
	kind              string // socket, other, missing, hidden
	access            bool
	user              string
	groups            string
	owner             string // as ls -ld has it
	docker, listening bool
	complete          bool
}

func probeCommand(path string) remote.Command {
	return remote.Command{Argv: []string{"sh", "-c", probeScript, "sh", path}, MaxOutput: 64 << 10}
}

func parseProbe(out []byte) probe {
	told := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "stowage-probe "); ok {
			key, value, _ := strings.Cut(rest, " ")
			told[key] = value
		}
	}
	yes := func(key string) bool { return told[key] == "yes" }
	return probe{
		kind: told["kind"], user: told["user"], groups: told["groups"], owner: told["owner"],
		access: yes("access"), docker: yes("docker"), listening: yes("listening"), complete: yes("end"),
	}
}

// group and mode of the socket, of a line of ls -ld.
func (p probe) socketOwner() (owner, group string) {
	f := strings.Fields(p.owner)
	if len(f) < 4 {
		return "", ""
	}
	return f[2] + ":" + f[3] + " " + f[0], f[3]
}

// afterRefusal finds out why a stream to a socket was refused: the stream itself
// when it was for the moment only, a stream through the stand-in where sshd
// forwards no sockets, or an error that says what is wrong. All who were refused
// the same socket at once share one look.
func (c *Conn) afterRefusal(ctx context.Context, path string, refusal error) (net.Conn, error) {
	op := "open " + path
	_, err := await(ctx, c.asking(remote.StageChannel, op), func() (struct{}, error) {
		_, err, _ := c.probes.Do(path, func() (any, error) {
			if c.Mode() == DialStdio {
				return nil, nil
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
			defer cancel()
			return nil, c.examine(ctx, path, refusal)
		})
		return struct{}{}, err
	}, func(struct{}) {})
	if err != nil {
		return nil, c.asError(remote.StageChannel, op, err)
	}
	if c.Mode() == DialStdio {
		return c.dialStdio(ctx, path)
	}
	conn, err := c.open(ctx, op, "unix", path)
	if err != nil {
		return nil, c.asError(remote.StageChannel, op, err)
	}
	return &stream{Conn: conn, owner: c, op: op}, nil
}

// examine returns nil when a stream can be had after all, the mode being set by
// then.
func (c *Conn) examine(ctx context.Context, path string, refusal error) error {
	op := "open " + path
	out, err := c.Run(ctx, probeCommand(path))
	if errors.Is(err, remote.ErrTooManySessions) || errors.Is(err, remote.ErrUnreachable) || errors.Is(err, remote.ErrClosed) {
		return err
	}
	p := parseProbe(out.Stdout)
	if err != nil || !p.complete {
		e := c.socketError(remote.ErrForwardingRefused, path, refusal)
		e.Detail = "sshd opened no stream to " + path + ", and the account may run no commands that would tell why"
		e.Try = []string{"AllowStreamLocalForwarding yes  in the host's sshd_config"}
		return e
	}
	if err := c.verdict(p, path, refusal); err != nil {
		return err
	}
	// It is there and may be used. Once more, for an engine that was just starting.
	conn, err := c.open(ctx, op, "unix", path)
	if err == nil {
		return conn.Close()
	}
	complaint := "there is no docker command to stand in"
	if p.docker {
		if err = c.tryStdio(ctx, path); err == nil {
			c.mode.Store(int32(DialStdio))
			return nil
		}
		complaint = "docker system dial-stdio did not stand in: " + err.Error()
	}
	if !p.listening {
		e := c.socketError(remote.ErrSocketDead, path, refusal)
		e.Detail = "the engine there is not running, or is another"
		return e
	}
	e := c.socketError(remote.ErrForwardingRefused, path, refusal)
	e.Detail = "sshd forwards no sockets, and " + complaint
	e.Try = []string{"AllowStreamLocalForwarding yes  in the host's sshd_config"}
	return e
}

func (c *Conn) socketError(class error, path string, err error) *remote.Error {
	e := c.fail(remote.StageChannel, class, "open "+path, err)
	e.Socket = path
	return e
}

// verdict is what is wrong with the socket itself; nil: nothing that shows.
func (c *Conn) verdict(p probe, path string, refusal error) error {
	switch {
	case p.kind == "missing":
		e := c.socketError(remote.ErrSocketMissing, path, refusal)
		e.Detail = "there is no such file"
		return e
	case p.kind == "other":
		e := c.socketError(remote.ErrSocketMissing, path, refusal)
		e.Detail = "there is a file, and it is no socket"
		return e
	case p.kind == "socket" && p.access:
		return nil
	}
	e := c.socketError(remote.ErrSocketDenied, path, refusal)
	e.User, e.Groups = first(p.user, e.User), p.groups
	if p.kind == "hidden" {
		e.Detail = "a directory on the way to it may not be entered"
		return e
	}
	owner, group := p.socketOwner()
	e.Owner = owner
	e.Detail = "the account may not read and write it"
	if group != "" && group != "root" && checkUser(group) == nil && checkUser(e.User) == nil {
		e.Try = []string{fmt.Sprintf("sudo usermod -aG %s %s   (on the host)", group, e.User)}
	}
	return e
}

// tryStdio asks the engine for a sign of life through the stand-in.
func (c *Conn) tryStdio(ctx context.Context, path string) error {
	conn, err := c.dialStdio(ctx, path)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = await(ctx, c.asking(remote.StageRequest, "open "+path), func() (struct{}, error) {
		if _, err := io.WriteString(conn, "GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"); err != nil {
			return struct{}{}, err
		}
		answer := make([]byte, len("HTTP/1."))
		if _, err := io.ReadFull(conn, answer); err != nil {
			return struct{}{}, err
		}
		if string(answer) != "HTTP/1." {
			return struct{}{}, errors.New("what answers there is no docker API")
		}
		return struct{}{}, nil
	}, func(struct{}) {})
	if e, ok := errors.AsType[*remote.Error](err); ok && e.Detail != "" {
		return errors.New(e.Detail)
	}
	return err
}
