// Command fleet starts hosts to play with, prints the HCL that makes them
// Stowage's, and ends them at Ctrl-C.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/stowage-run/stowage/internal/testfleet"
)

func main() {
	hosts := flag.Int("n", 3, "how many hosts")
	out := flag.String("o", "", "also write the HCL to this file")
	flag.Parse()
	if err := run(*hosts, *out); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(hosts int, out string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	fleet, err := testfleet.New(ctx, testfleet.Config{Hosts: hosts})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d hosts answer after %.1f s. Logs: %s\nLog in: ssh -i %s -o UserKnownHostsFile=%s root@%s\n\n",
		hosts, time.Since(began).Seconds(), fleet.Dir, fleet.KeyFile, fleet.KnownHosts, fleet.Hosts[0].Addr)
	fmt.Print(fleet.HCL())
	if out != "" {
		err = os.WriteFile(out, []byte(fleet.HCL()), 0o644)
	}
	if err == nil {
		fmt.Fprint(os.Stderr, "\nCtrl-C ends them.\n")
		<-ctx.Done()
	}
	stop() // a second Ctrl-C ends this process, and the kernel the hosts
	if closed := fleet.Close(); closed != nil {
		return closed
	}
	return err
}
