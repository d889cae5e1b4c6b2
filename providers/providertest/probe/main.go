// Command probe is the only program in the image that the suite of package providertest runs. As a
// container's first process, or executed in a container, it does the one thing that its arguments say.
package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/term"
)

func main() {
	args := os.Args[1:]
	if len(args) == 0 {
		args = []string{"serve"}
	}
	status, err := run(args[0], args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		status = 1
	}
	os.Exit(status)
}

func run(verb string, args []string) (status int, err error) {
	arg := strings.Join(args, " ")
	switch verb {
	case "serve": // until SIGTERM (0), SIGINT (4) or SIGUSR2 (3); says so on SIGUSR1
		return serve(true), nil
	case "stubborn": // serve, deaf to SIGTERM
		return serve(false), nil
	case "listen": // serve, and echo what comes to a TCP port: on all addresses, or on the one given, or on that of a network card
		listener, err := listen(args[0], strings.Join(args[1:], ""))
		if err != nil {
			return 1, err
		}
		go echo(listener)
		return serve(true), nil
	case "exit", "both":
		if verb == "both" {
			fmt.Println("to stdout")
			fmt.Fprintln(os.Stderr, "to stderr")
		}
		return strconv.Atoi(arg)
	case "print": // each argument on a line
		fmt.Println(strings.Join(args, "\n"))
	case "long": // a line of so many bytes
		n, err := strconv.Atoi(arg)
		fmt.Println(strings.Repeat("x", n))
		return 0, err
	case "env":
		fmt.Println(os.Getenv(arg))
	case "cat":
		text, err := os.ReadFile(arg)
		fmt.Print(string(text))
		return 0, err
	case "mode":
		i, err := os.Stat(arg)
		if err == nil {
			fmt.Printf("%04o\n", i.Mode().Perm())
		}
		return 0, err
	case "resolve":
		_, err := net.LookupHost(arg)
		return 0, err
	case "echo":
		_, err := io.Copy(os.Stdout, os.Stdin)
		return 0, err
	case "tty":
		fmt.Println(term.IsTerminal(0))
	case "crash": // ends the first process as nobody asked for
		return 0, syscall.Kill(1, syscall.SIGUSR2)
	default:
		return 1, fmt.Errorf("unknown verb %q", verb)
	}
	return 0, nil
}

func listen(port, at string) (net.Listener, error) {
	if !strings.HasPrefix(at, "eth") {
		return net.Listen("tcp", net.JoinHostPort(at, port))
	}
	card, err := net.InterfaceByName(at)
	if err != nil {
		return nil, err
	}
	addrs, err := card.Addrs()
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() {
			return net.Listen("tcp", net.JoinHostPort(prefix.Addr().String(), port))
		}
	}
	return nil, fmt.Errorf("%s has no address", at)
}

// echo gives back what comes, until the other end has no more.
func echo(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(conn, conn) // its end is the other one's affair
			conn.Close()
		}()
	}
}

func serve(polite bool) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	fmt.Println("serving")
	for s := range signals {
		switch {
		case s == syscall.SIGTERM && polite:
			fmt.Println("goodbye")
			return 0
		case s == syscall.SIGINT:
			return 4
		case s == syscall.SIGUSR2:
			return 3
		case s == syscall.SIGUSR1, s == syscall.SIGHUP:
			fmt.Println("signalled")
		}
	}
	return 0
}
