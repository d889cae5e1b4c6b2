package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/internal/webimage"
)

// TestMain runs this very binary as `stowage` where a test starts that command, and the tests otherwise.
func TestMain(m *testing.M) {
	testscript.Main(closing{m}, map[string]func(){"stowage": mortal})
}

// closing ends the shared hosts after the tests: testscript.Main leaves the process without returning.
type closing struct{ m *testing.M }

func (c closing) Run() int {
	code := c.m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// shared are the hosts of all tests here: three over SSH, and one that stands for this machine and has the images
// stowage-web:1 and stowage-web:2, which no registry has.
var shared hosts

type hosts struct {
	once  sync.Once
	fleet *testfleet.Fleet
	err   error
}

// get returns the hosts; the first call starts them.
func (h *hosts) get() (*testfleet.Fleet, error) {
	h.once.Do(func() {
		ctx := context.Background()
		if h.fleet, h.err = testfleet.New(ctx, testfleet.Config{Hosts: 3, Local: true}); h.err == nil {
			h.err = loadImages(ctx, h.fleet)
		}
	})
	return h.fleet, h.err
}

func (h *hosts) close() error {
	if h.fleet == nil {
		return nil
	}
	return h.fleet.Close()
}

func loadImages(ctx context.Context, f *testfleet.Fleet) error {
	for _, version := range []string{"1", "2"} {
		archive := filepath.Join(f.Dir, "web-"+version+".tar")
		if err := (webimage.Image{Tag: "stowage-web:" + version, Version: version}).WriteFile(ctx, archive); err != nil {
			return err
		}
		if err := f.Local.LoadImage(ctx, archive); err != nil {
			return err
		}
	}
	return nil
}
