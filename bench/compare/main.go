// Command compare times whole commands of Stowage on real engines, beside the peers that are found, and prints
// figures and ratios. It fails no build: what cannot be measured is said and left out, and the exit status is 0.
//
// The peers: `docker compose` where it answers, terraform where TERRAFORM names its binary and TERRAFORM_RC a
// command line configuration that finds the docker provider. Runs alternate between the tools that are compared, so
// that a machine whose speed drifts treats them alike; figures are medians with their spread.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/internal/webimage"
)

const tag = "stowage-web:1"

// lab is what the measurements share.
type lab struct {
	ctx     context.Context
	fleet   *testfleet.Fleet
	dir     string
	stowage string // the binary
	runs    int
}

func main() {
	runs := flag.Int("runs", 5, "runs of each command")
	containers := flag.Int("containers", 100, "containers to create on one engine")
	stowage := flag.String("stowage", "bin/stowage", "the binary to measure")
	only := flag.String("only", "", "measure only what has this in its name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // the hosts are taken down
	defer stop()
	l, err := newLab(ctx, *stowage, *runs)
	if err != nil {
		fmt.Println("compare: nothing was measured:", err)
		return
	}
	defer l.close()
	for _, m := range []struct {
		name string
		run  func() error
	}{
		{"plan of 10,000 new containers", func() error { return l.planNew(10_000) }},
		{fmt.Sprintf("apply and destroy of %d containers, against the bare API", *containers), func() error { return l.applyMany(*containers) }},
		{fmt.Sprintf("plan with nothing to do, %d running containers", *containers), func() error { return l.planNothing(*containers) }},
		{"plan with nothing to do over 3 SSH hosts", l.planOverSSH},
	} {
		if !strings.Contains(m.name, *only) {
			continue
		}
		fmt.Printf("\n== %s\n", m.name)
		if err := m.run(); err != nil {
			fmt.Println("   not measured:", err)
		}
	}
}

func newLab(ctx context.Context, stowage string, runs int) (*lab, error) {
	binary, err := filepath.Abs(stowage)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%w (make build)", err)
	}
	dir, err := os.MkdirTemp("", "stowage-bench")
	if err != nil {
		return nil, err
	}
	l := &lab{ctx: ctx, dir: dir, stowage: binary, runs: runs}
	if l.fleet, err = testfleet.New(ctx, testfleet.Config{Hosts: 3, Local: true}); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	image := filepath.Join(dir, "web.tar")
	err = webimage.Image{Tag: tag, Version: "1", Created: time.Unix(0, 0)}.WriteFile(ctx, image)
	for _, h := range append([]*testfleet.Host{l.fleet.Local}, l.fleet.Hosts...) {
		if err == nil {
			err = h.LoadImage(ctx, image)
		}
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) close() {
	if l.fleet != nil {
		if err := l.fleet.Close(); err != nil {
			fmt.Println("compare: cleaning up:", err)
		}
	}
	os.RemoveAll(l.dir)
}
