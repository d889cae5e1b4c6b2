package testfleet_test

import (
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
