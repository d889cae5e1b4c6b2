package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// killing is one fleet that is applied by processes which are killed on the way.
type killing struct {
	t    *testing.T
	dir  string
	name string
}

// TestKill kills an apply at each of its first writes to the state's file, and at system calls around those to the
// engines, by a signal that strace delivers instead of the call. One apply after that has to end with containers, records
// and wishes alike: nothing lost, nothing twice.
func TestKill(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatalf("this test kills processes by strace, of the package of that name: %v", err)
	}
	f, err := shared.get()
	if err != nil {
		t.Fatal(err)
	}
	k := &killing{t, t.TempDir(), "killed"}
	t.Cleanup(func() {
		if err := clean(f.Local, k.name); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("HOME", k.dir)
	t.Setenv("DOCKER_HOST", "unix://"+f.Local.Socket)

	// Writes to sockets are counted by thread: which call is the Nth differs from run to run, and so do the places.
	killed := 0
	for i, at := range []struct {
		call string
		nth  []int
	}{
		{"fdatasync", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		{"write", []int{2, 5, 8, 11}},
		{"read", []int{30, 45}},
	} {
		for _, n := range at.nth {
			k.want(i, n)
			if k.applyKilled(at.call, n) {
				killed++
			}
			k.heal(fmt.Sprintf("killed at %s %d", at.call, n), n)
		}
	}
	if killed < 12 {
		t.Errorf("got %d applies killed, want 12 or more: the others ended first", killed)
	}
}

// replicas is how many are wanted in one round: it changes from round to round.
func replicas(n int) int { return 1 + n%3 }

// want writes the round's configuration: another number of replicas, and every second time another environment.
func (k *killing) want(kind, n int) {
	hcl := fmt.Sprintf("stowage {\n  fleet           = %q\n  deletion_budget = \"100%%\"\n}\n\nhost \"local\" {}\n\nworkload \"web\" {\n  image    = \"stowage-web:1\"\n"+
		"  replicas = %d\n  env      = { ROUND = \"%d.%d\" }\n}\n", k.name, replicas(n), kind, n/2)
	if err := os.WriteFile(filepath.Join(k.dir, "stowage.hcl"), []byte(hcl), 0o644); err != nil {
		k.t.Fatal(err)
	}
}

func (k *killing) command(ctx context.Context, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = k.dir
	return cmd
}

// applyKilled applies and reports whether the process was killed before it ended.
func (k *killing) applyKilled(call string, n int) bool {
	cmd := k.command(k.t.Context(), "strace", "-f", "-qq", "-o", filepath.Join(k.dir, "trace"), "-e", "trace="+call, "-e",
		fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n), "stowage", "apply", "-auto-approve")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	// strace ends as what it ran did.
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGKILL {
		k.t.Fatalf("apply under strace, %s %d: %v\n%s", call, n, err, out)
	}
	return true
}

// heal applies once more and checks what there is then.
func (k *killing) heal(what string, n int) {
	k.t.Helper()
	if out, err := k.command(k.t.Context(), "stowage", "apply", "-auto-approve").CombinedOutput(); err != nil {
		k.t.Fatalf("%s: the next apply: %v\n%s", what, err, out)
	}
	if out, err := k.command(k.t.Context(), "stowage", "plan", "-detailed-exitcode").CombinedOutput(); err != nil {
		k.t.Fatalf("%s: the plan after the next apply: %v\n%s", what, err, out)
	}
	recorded, running := k.recorded(), k.containers()
	if !slices.Equal(recorded, running) || len(running) != replicas(n) {
		k.t.Fatalf("%s: got containers %v and records %v, want %d of both", what, running, recorded, replicas(n))
	}
}

// recorded lists the ids of the containers that the state has; a state that still has intents fails the test.
func (k *killing) recorded() []string {
	out, err := k.command(k.t.Context(), "stowage", "show", "-json").Output()
	if err != nil {
		k.t.Fatal(err)
	}
	var shown struct {
		Replicas []struct {
			Container string `json:"container"`
		} `json:"replicas"`
		Intents map[string]any `json:"intents"`
	}
	if err := json.Unmarshal(out, &shown); err != nil {
		k.t.Fatalf("%v in\n%s", err, out)
	}
	if len(shown.Intents) > 0 {
		k.t.Errorf("got intents left %v, want none", shown.Intents)
	}
	var ids []string
	for _, r := range shown.Replicas {
		if r.Container != "" { // else it is vacant: the slot is remembered
			ids = append(ids, r.Container)
		}
	}
	slices.Sort(ids)
	return ids
}

// containers lists the ids of the fleet's containers, those not running too.
func (k *killing) containers() []string {
	out, err := shared.fleet.Local.Docker(k.t.Context(), "ps", "-aq", "--no-trunc", "--filter", "name=^"+k.name+"-")
	if err != nil {
		k.t.Fatal(err)
	}
	ids := strings.Fields(out)
	slices.Sort(ids)
	return ids
}
