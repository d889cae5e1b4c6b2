package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/internal/webimage"
)

// killedImage is only on this machine's engine, and on the other hosts when it was sent there.
const killedImage = "stowage-killed:1"

// killing is a fleet whose commands are killed at each place that they come by. It goes through its changes again and again.
type killing struct {
	t       *testing.T
	name    string
	dir     string
	hosts   []*testfleet.Host
	env     []string // of its commands
	changes []*change
	foreign map[string]string // what others have on each host
	rounds  int
	deaths  int
}

// change is a command that makes the fleet other than the change before it left it.
type change struct {
	name     string
	command  string // with its flags
	replicas int    // that there are after it
	workload string // the arguments, beyond image and replicas; @ is the number of the round
	last     bool   // nothing is left after it, and the next change begins with nothing recorded

	survived bool // a run of it came by no place where none had died before
}

// TestKill kills commands by SIGKILL at each write of the state and around each request that changes something on an engine, of
// this machine and of hosts over SSH. The same command once more has to end with containers, records and wishes alike:
// nothing lost, nothing twice, nothing of others touched.
func TestKill(t *testing.T) {
	f, err := shared.get()
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(f.Dir, "killed.tar")
	if err := (webimage.Image{Tag: killedImage, Version: "killed"}).WriteFile(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	if err := f.Local.LoadImage(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	const objects = "  networks = [network.app]\n  mount \"/data\" {\n    source = volume.data\n  }\n"
	for _, k := range []*killing{
		{name: "killedhere", hosts: []*testfleet.Host{f.Local}, changes: life("")},
		{name: "killedfar", hosts: f.Hosts[:2], changes: life(objects)},
		{name: "killedinplace", hosts: f.Hosts[2:3], changes: []*change{
			{name: "update", command: "apply", replicas: 1, workload: "  resources {\n    memory = \"${64 + @ % 2}MiB\"\n  }\n"},
		}},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			k.begin(t, f)
			k.everywhere()
			if k.name == "killedinplace" {
				k.inTheFile()
			}
		})
	}
}

// life is a fleet's from its making to its end.
func life(objects string) []*change {
	return []*change{
		{name: "create", command: "apply", replicas: 2, workload: objects + "  env = { A = \"1\" }\n"},
		{name: "replace and scale down", command: "apply", replicas: 1, workload: objects + "  env = { A = \"2\" }\n"},
		{name: "destroy", command: "destroy -volumes", workload: objects, last: true},
	}
}

// begin gives the fleet a directory and hosts on which others have something too.
func (k *killing) begin(t *testing.T, f *testfleet.Fleet) {
	k.t, k.dir = t, t.TempDir()
	k.env = append(os.Environ(), "HOME="+k.dir, "DOCKER_HOST=unix://"+f.Local.Socket)
	for _, h := range k.hosts {
		t.Cleanup(func() {
			if err := clean(h, k.name); err != nil {
				t.Error(err)
			}
		})
		if h != f.Local {
			k.check(h.LoadImage(t.Context(), filepath.Join(f.Dir, "web-1.tar")))
		}
		k.arrive(h)
	}
	k.foreign = k.strangers()
}

// everywhere goes through the changes until each has been survived: until there is no place left at which it was not killed.
func (k *killing) everywhere() {
	start := time.Now()
	for left := len(k.changes); left > 0; {
		for _, c := range k.changes {
			k.want(c)
			if k.dies(c, k.command(c)) {
				k.deaths++
				k.witness(c)
			} else if !c.survived {
				c.survived = true
				left--
			}
			k.heals(c)
			if c.last {
				k.forget()
			}
			if k.t.Failed() {
				return
			}
		}
	}
	for _, c := range k.changes {
		k.t.Logf("%s: killed at %d places", c.name, len(placesOf(k.places(c))))
	}
	k.t.Logf("%d deaths in %v", k.deaths, time.Since(start).Round(time.Millisecond))
}

// want writes the configuration that a change is made with.
func (k *killing) want(c *change) {
	k.rounds++
	var hcl strings.Builder
	fmt.Fprintf(&hcl, "stowage {\n  fleet           = %q\n  deletion_budget = \"100%%\"\n}\n\nnetwork \"app\" {}\n\nvolume \"data\" {\n  per_replica = true\n}\n\n", k.name)
	for _, h := range k.hosts {
		hcl.WriteString(h.HCL() + "\n")
	}
	fmt.Fprintf(&hcl, "workload \"web\" {\n  image    = %q\n  replicas = %d\n  update { min_healthy_time = \"0s\" }\n%s}\n", killedImage, max(c.replicas, 1),
		strings.ReplaceAll(c.workload, "@", strconv.Itoa(k.rounds)))
	k.check(os.WriteFile(filepath.Join(k.dir, "stowage.hcl"), []byte(hcl.String()), 0o644))
}

// places is the file of the places where a change was killed.
func (k *killing) places(c *change) string {
	return filepath.Join(k.dir, strings.ReplaceAll(c.name, " ", "-")+".deaths")
}

// stowage is a command of the fleet.
func (k *killing) stowage(words ...string) *exec.Cmd {
	cmd := exec.CommandContext(k.t.Context(), words[0], words[1:]...)
	cmd.Dir, cmd.Env = k.dir, k.env
	return cmd
}

// command is a change's, which dies.
func (k *killing) command(c *change) *exec.Cmd {
	cmd := k.stowage(append(append([]string{"stowage"}, strings.Fields(c.command)...), "-auto-approve")...)
	cmd.Env = append(cmd.Env, deathsVar+"="+k.places(c))
	return cmd
}

// dies runs a change and reports whether it was killed. Any other end but success fails the test.
func (k *killing) dies(c *change, cmd *exec.Cmd) bool {
	k.t.Helper()
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGKILL {
		k.t.Fatalf("%s: %v\n%s", c.name, err, out)
	}
	return true
}

// forget removes the record and the image of a fleet of which nothing is left.
func (k *killing) forget() {
	k.check(os.RemoveAll(filepath.Join(k.dir, ".stowage")))
	for _, h := range k.hosts {
		if h.Name == "local" {
			continue
		}
		if _, err := h.Docker(k.t.Context(), "rmi", "-f", killedImage); err != nil {
			k.t.Fatal(err)
		}
	}
}

func (k *killing) check(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}
