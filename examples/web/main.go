// Command web is the example workload: it says who it is.
//
//	GET /         the host name, $SLOT and $MESSAGE if set, the version of the program
//	GET /healthz  200 "ok", or 503 and why
//
// It listens on $PORT, 8080 by default, and ends at once on SIGTERM. In an image
// that holds nothing else, "web check" is a health check and "web version" something
// to run with exec.
//
// The environment makes a bad release of it, for trying out updates:
//
//	HEALTH_FAIL=1    /healthz always answers 503
//	HEALTH_AFTER=5s  /healthz answers 503 for that long after the start
//	HEALTH_DELAY=3s  /healthz takes that long to answer
//	FLAP=2s          /healthz answers 200 for that long, 503 for that long, and again
//	DIE_AFTER=20s    it ends with status 1 that long after the start
//	EXIT=1           it ends with that status at once
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set at build time, so that two images can differ.
var version = "dev"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		var exit exitError
		if errors.As(err, &exit) {
			os.Exit(int(exit))
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	switch {
	case len(args) == 0:
		return serve(port)
	case args[0] == "check":
		return check(port)
	case args[0] == "version":
		_, err := fmt.Println(version)
		return err
	}
	return fmt.Errorf("unknown command %q: check or version, or none to serve", args[0])
}

// exitError is a status to end with that was asked for.
type exitError int

func (e exitError) Error() string {
	return fmt.Sprintf("ends with status %d, as it was told to", int(e))
}

func serve(port string) error {
	faults, err := faultsOf(os.Getenv)
	if err != nil {
		return err
	}
	if faults.exit != 0 {
		return exitError(faults.exit)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	fmt.Printf("web %s listens on %s\n", version, listener.Addr())
	faults.dieLater()
	server := &http.Server{Handler: handler(faults, time.Now()), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	fmt.Println("web ends")
	return nil
}

func handler(f faults, started time.Time) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", whoami)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(f.delay):
		case <-r.Context().Done():
		}
		status, text := f.health(time.Since(started))
		w.WriteHeader(status)
		fmt.Fprintln(w, text)
	})
	return mux
}

func whoami(w http.ResponseWriter, _ *http.Request) {
	name, err := os.Hostname()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "host: %s\n", name)
	for _, key := range []string{"SLOT", "MESSAGE"} {
		if value := os.Getenv(key); value != "" {
			fmt.Fprintf(w, "%s: %s\n", key, value)
		}
	}
	fmt.Fprintf(w, "version: %s\n", version)
}

func check(port string) error {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get("http://127.0.0.1:" + port + "/healthz")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /healthz: %s", answer.Status)
	}
	return nil
}
