package testfleet_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/internal/testfleet"
)

// traces lists what fleets with files below base have on this machine: links and
// cgroups of the numbers given, processes by their arguments, mounts, files.
func traces(t *testing.T, base string, number string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{
		base + "/*", "/sys/class/net/stowf" + number, "/sys/fs/cgroup/stowfleet-" + number, "/sys/fs/cgroup/*/stowfleet-" + number,
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, paths...)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), base) {
		found = append(found, "mount")
	}
	if n := len(processesOf(t, base)); n > 0 {
		found = append(found, fmt.Sprintf("%d processes", n))
	}
	slices.Sort(found)
	return found
}

// processesOf finds the processes whose mounts include a directory below base.
func processesOf(t *testing.T, base string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), base+"/") {
			found = append(found, path)
		}
	}
	return found
}

func atBase(dir string) testfleet.Option { return func(c *testfleet.Config) { c.Dir = dir } }

// withBase is a base directory that no other fleet uses, on the same file system.
func newBase(t *testing.T) string {
	t.Helper()
	base, err := os.MkdirTemp("/var/lib", "stowage-testfleet-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	return base
}

func TestCloseLeavesNothing(t *testing.T) {
	base := newBase(t)
	var f *testfleet.Fleet
	t.Run("fleet", func(t *testing.T) {
		f = testfleet.Start(t, 1, atBase(base))
		loadWeb(t, f.Hosts[0])
		docker(t, f.Hosts[0], "run", "-d", "-p", "8080:8080", "web:1")
		if len(processesOf(t, base)) < 5 {
			t.Error("the processes of the fleet are not seen, so their end would not be either")
		}
		if err := f.Hosts[0].FreezeEngine(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if diff := cmp.Diff([]string(nil), traces(t, base, filepath.Base(f.Dir))); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(base); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("base directory is left: %v", err)
	}
}

func TestTwoFleetsAtOnce(t *testing.T) {
	one := shared.Fleet(t)
	two := testfleet.Start(t, 1)
	if one.Hosts[0].Addr == two.Hosts[0].Addr {
		t.Errorf("both fleets are at %s", one.Hosts[0].Addr)
	}
	mustConnect(t, one, one.Hosts[0])
	mustConnect(t, two, two.Hosts[0])
}

const ownerBase = "STOWAGE_TESTFLEET_OWNER_BASE"

// TestOwner is the process that the next test kills: it starts a fleet, says its
// number and waits for its input to end. On its own it has nothing to do.
func TestOwner(t *testing.T) {
	base := os.Getenv(ownerBase)
	if base == "" {
		return
	}
	f := testfleet.Start(t, 2, atBase(base))
	loadWeb(t, f.Hosts[0])
	docker(t, f.Hosts[0], "run", "-d", "web:1")
	if err := f.Hosts[1].FreezeEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Println("\nfleet", filepath.Base(f.Dir))
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
}

func TestNextStartRemovesWhatAKilledOwnerLeft(t *testing.T) {
	base := newBase(t)
	number := killOwner(t, base)
	eventually(t, "end of the dead fleet's processes", func() error {
		if left := processesOf(t, base); len(left) > 0 {
			return fmt.Errorf("%d processes are left", len(left))
		}
		return nil
	})
	if len(traces(t, base, number)) == 0 {
		t.Error("the killed owner left nothing, so this test shows nothing")
	}
	f, err := testfleet.New(t.Context(), testfleet.Config{Dir: base})
	if err != nil {
		t.Fatal(err)
	}
	if got := processesOf(t, filepath.Join(base, number, "h2")); len(got) > 0 {
		t.Errorf("processes of the dead fleet: %v", got)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string(nil), traces(t, base, number)); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
}

// killOwner starts a fleet in another process, kills that and returns the fleet's number.
func killOwner(t *testing.T, base string) string {
	t.Helper()
	owner := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOwner$", "-test.timeout=2m")
	owner.Env = append(os.Environ(), ownerBase+"="+base)
	if _, err := owner.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	number := ""
	lines := bufio.NewScanner(out)
	for number == "" && lines.Scan() {
		number, _ = strings.CutPrefix(lines.Text(), "fleet ")
		if number == lines.Text() {
			number = ""
		}
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Wait(); err == nil {
		t.Error("the killed owner ended well")
	}
	if number == "" {
		t.Fatal("the owner did not start a fleet")
	}
	return number
}
