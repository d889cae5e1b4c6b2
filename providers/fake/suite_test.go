package fake_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/providers/providertest"
)

func TestEngine(t *testing.T) {
	providertest.Run(t, func(t *testing.T) providertest.Subject {
		w := fake.NewWorld(time.Now)
		h := w.Host("h1")
		i := fake.NewImage("probe")
		i.Program, i.Server = probe, echo
		h.AddImage("stowage-probe:1", i)
		w.Host("h2")
		return providertest.Subject{
			Engine: connect(t, w, "h1"),
			Other:  connect(t, w, "h2"),
			Image:  fleet.Image{Ref: "stowage-probe:1", ID: i.ID},
			Pause: func(_ context.Context, id string) error {
				h.Pause(id)
				return nil
			},
			CutEvents: func(*testing.T) { h.CutEvents() },
			RestartEngine: func(context.Context) error {
				h.RestartEngine()
				return nil
			},
		}
	})
}

// probe does what the program in providertest/probe does.
func probe(p fake.Process) fake.Outcome {
	args := p.Args
	if len(args) > 0 && args[0] == "/probe" {
		args = args[1:]
	}
	verb, arg := args[0], strings.Join(args[1:], " ")
	if p.Signal != "" {
		return signalled(p, verb == "stubborn")
	}
	fail := func(ok bool) fake.Outcome {
		if ok {
			return fake.Outcome{Exited: true}
		}
		return fake.Outcome{Exited: true, Status: 1}
	}
	switch verb {
	case "serve", "stubborn", "listen":
		fmt.Fprintln(p.Stdout, "serving")
		return fake.Outcome{}
	case "exit", "both":
		if verb == "both" {
			fmt.Fprintln(p.Stdout, "to stdout")
			fmt.Fprintln(p.Stderr, "to stderr")
		}
		n, err := strconv.Atoi(arg)
		return fake.Outcome{Exited: err == nil, Status: n}
	case "print":
		fmt.Fprintln(p.Stdout, strings.Join(args[1:], "\n"))
	case "long":
		n, err := strconv.Atoi(arg)
		fmt.Fprintln(p.Stdout, strings.Repeat("x", n))
		return fail(err == nil)
	case "env":
		fmt.Fprintln(p.Stdout, p.Env[arg])
	case "cat":
		content, _, ok := p.File(arg)
		io.WriteString(p.Stdout, content)
		return fail(ok)
	case "mode":
		_, mode, ok := p.File(arg)
		if directory, is := map[string]uint32{"/deep": 0o755, "/deep/er": 0o755, "/existing": 0o700}[arg]; is {
			mode, ok = directory, true
		}
		fmt.Fprintf(p.Stdout, "%04o\n", mode)
		return fail(ok)
	case "resolve":
		return fail(p.Resolves(arg))
	case "echo":
		_, err := io.Copy(p.Stdout, p.Stdin)
		return fail(err == nil)
	case "tty":
		fmt.Fprintln(p.Stdout, p.TTY != nil)
	default:
		return fail(false)
	}
	return fake.Outcome{Exited: true}
}

// echo is what the program serves that was told to listen.
func echo(v fake.Visit) func(net.Conn) {
	if v.Args[0] != "listen" || v.Args[1] != strconv.Itoa(int(v.Port)) {
		return nil
	}
	return func(conn net.Conn) { io.Copy(conn, conn) }
}

func signalled(p fake.Process, stubborn bool) fake.Outcome {
	switch {
	case p.Signal == "SIGTERM" && !stubborn:
		fmt.Fprintln(p.Stdout, "goodbye")
		return fake.Outcome{Exited: true}
	case p.Signal == "SIGINT":
		return fake.Outcome{Exited: true, Status: 4}
	case p.Signal == "SIGUSR2":
		return fake.Outcome{Exited: true, Status: 3}
	case p.Signal == "SIGUSR1", p.Signal == "SIGHUP":
		fmt.Fprintln(p.Stdout, "signalled")
	}
	return fake.Outcome{}
}
