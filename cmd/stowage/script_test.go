package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stowage-run/stowage/internal/testfleet"
)

// The scripts are what a user types and sees. Those named fleet_* use the hosts over SSH, which they break, and run one
// after another. The others run together: they share this machine's engine under names of their own, and those named
// host1_*, host2_*, host3_* have that host over SSH for themselves.
// A script's fleet is named after its directory: script-NAME, $FLEET in the script. Names have no dashes, so that no fleet's
// name followed by a dash begins another's.

func TestScripts(t *testing.T) {
	testscript.Run(t, params(t, func(name string) bool { return !strings.HasPrefix(name, "fleet_") }))
}

func TestFleetScripts(t *testing.T) {
	testscript.RunT(oneByOne{t}, params(t, func(name string) bool { return strings.HasPrefix(name, "fleet_") }))
}

// oneByOne is a test whose scripts do not run together.
type oneByOne struct{ *testing.T }

func (oneByOne) Parallel()       {}
func (o oneByOne) Verbose() bool { return testing.Verbose() }
func (o oneByOne) Run(name string, f func(testscript.T)) {
	o.T.Run(name, func(t *testing.T) { f(oneByOne{t}) })
}

func params(t *testing.T, want func(name string) bool) testscript.Params {
	t.Helper()
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range all {
		if want(filepath.Base(f)) {
			files = append(files, f)
		}
	}
	return testscript.Params{
		Files:               files,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("EXAMPLES", examples)
			e.Setenv("FLEET", filepath.Base(e.WorkDir))
			e.Setenv("DOCKER_HOST", "unix:///nonexistent/no-engine-was-asked-for.sock")
			return os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"engine": cmdEngine, "hosts": cmdHosts, "docker": cmdDocker, "fleet": cmdFleet,
			"exits": cmdExits, "atexit": cmdAtExit, "replace": cmdReplace, "count": cmdCount, "programs": cmdPrograms,
		},
	}
}

// fleetOf returns the hosts, for a command of a script.
func fleetOf(ts *testscript.TestScript) *testfleet.Fleet {
	f, err := shared.get()
	ts.Check(err)
	return f
}

func hostOfScript(ts *testscript.TestScript, name string) *testfleet.Host {
	f := fleetOf(ts)
	if name == "local" {
		return f.Local
	}
	for _, h := range f.Hosts {
		if h.Name == name {
			return h
		}
	}
	ts.Fatalf("no host %q", name)
	return nil
}

// cmdEngine gives the script this machine's engine: `engine`.
func cmdEngine(ts *testscript.TestScript, _ bool, _ []string) {
	h := hostOfScript(ts, "local")
	ts.Setenv("DOCKER_HOST", "unix://"+h.Socket)
	fleet := ts.Getenv("FLEET")
	ts.Defer(func() { ts.Check(clean(h, fleet)) })
}

// cmdHosts writes the blocks of some hosts: `hosts FILE h1 h2`. This machine's engine, which has the images, comes with them.
// For configurations of their own there are $ADDRESS_h1, $SOCKET_h1 and so on, and a ~/.ssh/config with the key to them.
func cmdHosts(ts *testscript.TestScript, neg bool, args []string) {
	cmdEngine(ts, neg, nil)
	var hcl strings.Builder
	fleet := ts.Getenv("FLEET")
	for _, name := range args[1:] {
		h := hostOfScript(ts, name)
		hcl.WriteString(h.HCL())
		ts.Defer(func() { ts.Check(clean(h, fleet)) }) // of these alone: others may be broken by others
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(hcl.String()), 0o644))
	for _, h := range fleetOf(ts).Hosts {
		ts.Setenv("ADDRESS_"+h.Name, h.Addr)
		ts.Setenv("SOCKET_"+h.Name, h.Socket)
	}
	ssh := fmt.Sprintf("Host *\n  User root\n  IdentityFile %s\n  UserKnownHostsFile %s\n", fleetOf(ts).KeyFile, fleetOf(ts).KnownHosts)
	ts.Check(os.MkdirAll(ts.MkAbs("home/.ssh"), 0o700))
	ts.Check(os.WriteFile(ts.MkAbs("home/.ssh/config"), []byte(ssh), 0o600))
}

// clean removes what a script left on a host: everything with its fleet's name in the name.
func clean(h *testfleet.Host, fleet string) error {
	ctx := context.Background()
	for _, kind := range []struct {
		list   []string
		remove []string
	}{
		{[]string{"ps", "-aq", "--filter", "name=" + fleet + "-"}, []string{"rm", "-fv"}},
		{[]string{"network", "ls", "-q", "--filter", "name=" + fleet + "-"}, []string{"network", "rm"}},
		{[]string{"volume", "ls", "-q", "--filter", "name=" + fleet + "-"}, []string{"volume", "rm"}},
	} {
		ids, err := h.Docker(ctx, kind.list...)
		if err != nil {
			return err
		}
		if ids == "" {
			continue
		}
		if _, err := h.Docker(ctx, append(kind.remove, strings.Fields(ids)...)...); err != nil {
			return err
		}
	}
	return nil
}

// cmdDocker asks a host's engine beside stowage: `docker HOST ARG...`, HOST being local, h1, h2 or h3.
func cmdDocker(ts *testscript.TestScript, neg bool, args []string) {
	h := hostOfScript(ts, args[0])
	err := ts.Exec("docker", append([]string{"-H", "unix://" + h.Socket}, args[1:]...)...)
	if (err != nil) != neg {
		ts.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
}

// cmdFleet breaks a host or mends it: `fleet cut HOST`, `fleet restore HOST`. What is broken is mended after the script.
func cmdFleet(ts *testscript.TestScript, _ bool, args []string) {
	h, ctx := hostOfScript(ts, args[1]), context.Background()
	for _, f := range []struct {
		breaks, mends string
		how, back     func(context.Context) error
	}{
		{"cut", "restore", h.CutLink, h.RestoreLink},
		{"changekey", "restorekey", h.ChangeHostKey, h.RestoreHostKey},
		{"freeze", "thaw", h.FreezeEngine, h.ThawEngine},
		{"refuse", "allow", h.RefuseForwarding, h.AllowForwarding},
	} {
		switch args[0] {
		case f.breaks:
			ts.Defer(func() { ts.Check(f.back(ctx)) })
			ts.Check(f.how(ctx))
			return
		case f.mends:
			ts.Check(f.back(ctx))
			return
		}
	}
	ts.Fatalf("fleet knows no %q", args[0])
}

// cmdExits runs a command that has to end with a status: `exits 3 stowage fmt -check`.
func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s: got exit status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// cmdAtExit runs a command after the script: `atexit umount disk`.
func cmdAtExit(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	ts.Defer(func() {
		if out, err := cmd.CombinedOutput(); err != nil {
			ts.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	})
}

// cmdReplace changes a file: `replace FILE OLD NEW`.
func cmdReplace(ts *testscript.TestScript, _ bool, args []string) {
	before := ts.ReadFile(args[0])
	if !strings.Contains(before, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(before, args[1], args[2])), 0o644))
}

// cmdPrograms puts mounts of this machine's programs in place of ${programs} in a configuration, for containers that are to have
// a shell: `programs FILE`.
func cmdPrograms(ts *testscript.TestScript, neg bool, args []string) {
	cmdReplace(ts, neg, []string{args[0], "${programs}", programs()})
}

// cmdCount counts this script's containers on a host, stopped ones too: `count 3 h1`.
func cmdCount(ts *testscript.TestScript, _ bool, args []string) {
	out, err := hostOfScript(ts, args[1]).Docker(context.Background(), "ps", "-a", "--format", "{{.Names}}",
		"--filter", "label=stowage.fleet", "--filter", "name=^"+ts.Getenv("FLEET")+"-")
	ts.Check(err)
	if got := strings.Fields(out); fmt.Sprint(len(got)) != args[0] {
		ts.Fatalf("host %s: got %d containers %v, want %s", args[1], len(got), got, args[0])
	}
}
