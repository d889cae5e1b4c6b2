package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// killing is one fleet that is applied by processes which are killed on the way.
type killing struct {
	t      *testing.T
	dir    string
	name   string
	socket string // the engine's
	round  int
	killed int
	torn   int // of those killed: between a container's making or removal and its record

	intents int // that were recorded when it was last looked
}

// TestKill kills an apply on the way, again and again. One apply after that has to end with containers, records and wishes
// alike: nothing lost, nothing twice.
func TestKill(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatalf("this test kills processes by strace, of the package of that name: %v", err)
	}
	f, err := shared.get()
	if err != nil {
		t.Fatal(err)
	}
	k := &killing{t: t, dir: t.TempDir(), name: "killed", socket: f.Local.Socket}
	t.Cleanup(func() {
		if err := clean(f.Local, k.name); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("HOME", k.dir)
	t.Setenv("DOCKER_HOST", "unix://"+k.socket)

	for n := 1; n <= 8; n++ {
		k.kill(fmt.Sprintf("before change %d of the engine", n), k.atRequest(n, false))
		k.kill(fmt.Sprintf("after change %d of the engine", n), k.atRequest(n, true))
	}
	if k.killed < 12 || k.torn < 6 {
		t.Errorf("got %d applies killed around calls, %d of them between a container's making or removal and its record, "+
			"want 12 and 6 or more: the places are badly chosen", k.killed, k.torn)
	}
	k.killed = 0
	for _, n := range []int{1, 2, 3, 4, 5, 6, 8, 10} {
		k.kill(fmt.Sprintf("fdatasync %d", n), k.atCall("fdatasync", n))
	}
	for _, n := range []int{2, 7, 14, 22} {
		k.kill(fmt.Sprintf("write %d of the state's pages", n), k.atCall("pwrite64", n))
	}
	if k.killed < 6 {
		t.Errorf("got %d applies killed at writes of the state, want 6 or more: the places are badly chosen", k.killed)
	}
}

// kill wants something else than before, runs an apply that is to be killed, and checks what the next apply makes of it.
func (k *killing) kill(what string, apply func() bool) {
	k.t.Helper()
	k.round++
	k.want()
	if apply() {
		k.killed++
		if !slices.Equal(k.recorded(), k.containers()) {
			k.torn++
		}
	}
	k.heal(what)
}

// replicas is how many are wanted in this round.
func (k *killing) replicas() int { return 1 + k.round%3 }

// want writes the round's configuration: another number of replicas, in another environment.
func (k *killing) want() {
	hcl := fmt.Sprintf("stowage {\n  fleet           = %q\n  deletion_budget = \"100%%\"\n}\n\nhost \"local\" {}\n\n"+
		"workload \"web\" {\n  image    = \"stowage-web:1\"\n  replicas = %d\n  env      = { ROUND = \"%d\" }\n}\n", k.name, k.replicas(), k.round)
	if err := os.WriteFile(filepath.Join(k.dir, "stowage.hcl"), []byte(hcl), 0o644); err != nil {
		k.t.Fatal(err)
	}
}

func (k *killing) command(words ...string) *exec.Cmd {
	cmd := exec.CommandContext(k.t.Context(), words[0], words[1:]...)
	cmd.Dir = k.dir
	return cmd
}

// wasKilled reports whether a process was killed, by the error it ended with; any other error fails the test.
func (k *killing) wasKilled(cmd *exec.Cmd, out []byte, err error) bool {
	if err == nil {
		return false
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGKILL {
		k.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return true
}

// atCall applies under strace, which kills the process in place of the nth system call of a kind. It counts by thread: with one
// processor most calls are of one thread, but which place the nth is can differ from run to run.
func (k *killing) atCall(call string, n int) func() bool {
	return func() bool {
		cmd := k.command("strace", "-f", "-qq", "-o", filepath.Join(k.dir, "trace"), "-e", "trace="+call, "-e",
			fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n), "stowage", "apply", "-auto-approve")
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
		out, err := cmd.CombinedOutput()
		return k.wasKilled(cmd, out, err) // strace ends as what it ran did
	}
}

// atRequest applies through a socket of ours before the engine's, and kills the process when the nth request that changes
// something comes: before the engine hears of it, or when it is done and the answer is not passed on yet.
func (k *killing) atRequest(n int, done bool) func() bool {
	return func() bool {
		path := filepath.Join(k.dir, "engine.sock")
		listener, err := net.Listen("unix", path)
		if err != nil {
			k.t.Fatal(err)
		}
		cmd := k.command("stowage", "apply", "-auto-approve", "-parallelism=1")
		cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+path)
		var changes atomic.Int32
		fatal := func(r *http.Request) bool {
			return r.Method != http.MethodGet && r.Method != http.MethodHead && int(changes.Add(1)) == n
		}
		server := &http.Server{Handler: k.engine(func(r *http.Request) (before, after func()) {
			die := func() {
				if err := cmd.Process.Kill(); err != nil {
					k.t.Error(err)
				}
				<-r.Context().Done() // nothing is passed on to the dying
			}
			switch {
			case !fatal(r):
				return func() {}, func() {}
			case done:
				return func() {}, die
			}
			return die, func() {}
		})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		out, err := cmd.CombinedOutput()
		if err := server.Close(); err != nil {
			k.t.Error(err)
		}
		<-served
		return k.wasKilled(cmd, out, err)
	}
}

// engine passes requests on to the engine; around gives what is done before and after each.
func (k *killing) engine(around func(*http.Request) (before, after func())) http.Handler {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", k.socket)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before, after := around(r)
		before()
		if r.Context().Err() != nil {
			return
		}
		proxy := httputil.ReverseProxy{
			Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
			Rewrite: func(p *httputil.ProxyRequest) {
				p.Out.URL.Scheme, p.Out.URL.Host = "http", "engine"
			},
			ModifyResponse: func(*http.Response) error { after(); return nil },
		}
		proxy.ServeHTTP(w, r)
	})
}

// heal applies once more and checks what there is then.
func (k *killing) heal(what string) {
	k.t.Helper()
	if out, err := k.command("stowage", "apply", "-auto-approve").CombinedOutput(); err != nil {
		k.t.Fatalf("killed %s: the next apply: %v\n%s", what, err, out)
	}
	if out, err := k.command("stowage", "plan", "-detailed-exitcode").CombinedOutput(); err != nil {
		k.t.Fatalf("killed %s: the plan after the next apply: %v\n%s", what, err, out)
	}
	recorded, there := k.recorded(), k.containers()
	if !slices.Equal(recorded, there) || len(there) != k.replicas() {
		k.t.Fatalf("killed %s: got containers %v and records %v, want %d of both", what, there, recorded, k.replicas())
	}
	if k.intents > 0 {
		k.t.Errorf("killed %s: got %d intents left, want none", what, k.intents)
	}
}

// recorded lists the ids of the containers that the state has, and counts its intents.
func (k *killing) recorded() []string {
	out, err := k.command("stowage", "show", "-json").Output()
	if err != nil {
		k.t.Fatal(err)
	}
	var shown struct {
		Replicas []struct {
			Container string `json:"container"`
		} `json:"replicas"`
		Intents []any `json:"intents"`
	}
	if err := json.Unmarshal(out, &shown); err != nil {
		k.t.Fatalf("%v in\n%s", err, out)
	}
	k.intents = len(shown.Intents)
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
