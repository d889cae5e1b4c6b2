package testfleet_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/internal/testfleet"
)

func TestLocalStandsForThisMachine(t *testing.T) {
	f := testfleet.Start(t, 0, testfleet.WithLocal())
	local := f.Local
	loadWeb(t, local)
	docker(t, local, "run", "-d", "--name", "web", "-p", "127.0.0.1:8080:8080", "web:1")
	eventually(t, "published port on the local host's loopback", func() error {
		conn, err := local.Dial(t.Context(), "tcp4", "127.0.0.1:8080")
		if err == nil {
			conn.Close()
		}
		return err
	})
	if _, err := dial(t.Context(), local.Addr+":8080"); err == nil {
		t.Error("a port bound to loopback is reachable from outside")
	}
	// Files of this machine are its files: a container sees what a test wrote.
	out, err := local.Command(t.Context(), "ls", t.TempDir()).CombinedOutput()
	if err != nil {
		t.Errorf("the local host does not see this machine's files: %s", out)
	}
	want := "host \"local\" {\n  engine \"docker\" {\n    socket = \"" + local.Socket + "\"\n  }\n}\n"
	if diff := cmp.Diff(want, f.HCL()); diff != "" {
		t.Errorf("block (-want +got):\n%s", diff)
	}
	if got := docker(t, local, "info", "--format", "{{.DockerRootDir}}"); !strings.HasPrefix(got, f.Dir) {
		t.Errorf("the local engine keeps its data in %s", got)
	}
}

const engineDir = "STOWAGE_TESTFLEET_ENGINE_DIR"

// TestEngineProcess is what the next test runs on the local host: it makes sure of an
// engine, twice, and ends it. On its own it has nothing to do.
func TestEngineProcess(t *testing.T) {
	dir := os.Getenv(engineDir)
	if dir == "" {
		return
	}
	socket := filepath.Join(dir, "engine.sock")
	first, err := testfleet.LocalEngine(t.Context(), socket, dir)
	if err != nil {
		t.Fatal(err)
	}
	if !first.Started {
		t.Error("an engine answered at a socket nobody had")
	}
	second, err := testfleet.LocalEngine(t.Context(), socket, dir)
	if err != nil {
		t.Fatal(err)
	}
	if second.Started {
		t.Error("a second engine was started beside the one that answers")
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("unix", socket); err != nil {
		t.Errorf("Close ended an engine that it did not start: %v", err)
	} else {
		conn.Close()
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("unix", socket); err == nil {
		conn.Close()
		t.Error("the engine still accepts after Close")
	}
}

// A plain dockerd changes the iptables of where it runs, so it runs on the local host.
func TestLocalEngine(t *testing.T) {
	local := testfleet.Start(t, 0, testfleet.WithLocal()).Local
	if err := local.KillEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	test := local.Command(t.Context(), os.Args[0], "-test.run=^TestEngineProcess$", "-test.timeout=2m")
	test.Env = append(test.Env, engineDir+"="+t.TempDir())
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
