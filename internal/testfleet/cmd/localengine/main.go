// Command localengine makes sure that a container engine answers on this machine. If
// none does it starts dockerd, which goes on running, and says how to end it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/stowage-run/stowage/internal/testfleet"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "localengine:", err)
		os.Exit(1)
	}
}

func run() error {
	socket := flag.String("socket", "/var/run/docker.sock", "where the engine answers")
	dir := flag.String("dir", "", "where a new engine keeps its data; the usual directories if empty")
	image := flag.String("load", "", "archive of an image to load into it")
	check := flag.Bool("check", false, "only look: fail if no engine answers, and start none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *check {
		if !testfleet.EngineAnswers(ctx, *socket) {
			return fmt.Errorf("no engine answers at %s", *socket)
		}
		return nil
	}
	engine, err := testfleet.LocalEngine(ctx, *socket, *dir)
	if err != nil {
		return err
	}
	if engine.Started {
		fmt.Printf("No container engine answered at %s: started dockerd.\nIt goes on running; end it with: kill %d\n",
			*socket, engine.Pid)
	}
	if *image == "" {
		return nil
	}
	return engine.LoadImage(ctx, *image)
}
