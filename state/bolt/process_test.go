package bolt

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// childVar names what the test binary is to do as another process, and on which directory.
const childVar = "STOWAGE_TEST_BOLT_CHILD"

func TestMain(m *testing.M) {
	what, dir, ok := strings.Cut(os.Getenv(childVar), ":")
	if !ok {
		os.Exit(m.Run())
	}
	if err := child(what, dir); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// child is the other process.
func child(what, dir string) error {
	ctx := context.Background()
	s, err := Open(dir, "shop")
	if err != nil {
		return err
	}
	switch what {
	case "lock":
		if _, err := s.Lock(ctx, state.Holder{ID: "child", PID: os.Getpid()}, 0); err != nil {
			return err
		}
		fmt.Println("locked")
		_, err := io.Copy(io.Discard, os.Stdin) // until the parent ends it
		return err
	case "count":
		return count(ctx, s)
	case "add":
		return add(ctx, s)
	case "full":
		return full(ctx, s)
	}
	return errors.New("unknown child " + what)
}

// count commits pairs of records n/a and n/b, each with a lock now and then, and says of each that it is there.
func count(ctx context.Context, s *Store) error {
	v, err := s.Read(ctx, "last")
	if err != nil {
		return err
	}
	n := 0
	if len(v.Records) > 0 {
		if n, err = strconv.Atoi(string(v.Records[0].Value)); err != nil {
			return err
		}
	}
	for {
		n++
		if n%7 == 0 {
			l, err := s.Lock(ctx, state.Holder{ID: "child"}, time.Second)
			if err != nil {
				return err
			}
			if err := l.Unlock(); err != nil {
				return err
			}
		}
		value := []byte(strings.Repeat(strconv.Itoa(n)+" ", n%500))
		txn := state.Txn{Put: []state.Put{
			{Key: "last", Value: []byte(strconv.Itoa(n))},
			{Key: state.Key(fmt.Sprintf("n/%06d/a", n)), Value: value},
			{Key: state.Key(fmt.Sprintf("n/%06d/b", n)), Value: value},
		}}
		if n > 300 {
			txn.Delete = []state.Key{state.Key(fmt.Sprintf("n/%06d/a", n-300)), state.Key(fmt.Sprintf("n/%06d/b", n-300))}
		}
		if _, err := s.Commit(ctx, txn); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// add raises a counter 50 times, with compare and swap.
func add(ctx context.Context, s *Store) error {
	for done := 0; done < 50; {
		v, err := s.Read(ctx, "counter")
		if err != nil {
			return err
		}
		n, serial := 0, state.Serial(0)
		if len(v.Records) > 0 {
			serial = v.Records[0].Serial
			if n, err = strconv.Atoi(string(v.Records[0].Value)); err != nil {
				return err
			}
		}
		_, err = s.Commit(ctx, state.Txn{
			If:  []state.Condition{{Key: "counter", Serial: serial}},
			Put: []state.Put{{Key: "counter", Value: []byte(strconv.Itoa(n + 1))}},
		})
		switch {
		case err == nil:
			done++
		case !errors.Is(err, state.ErrConflict):
			return err
		}
	}
	return nil
}

// full writes until files may grow no more.
func full(ctx context.Context, s *Store) error {
	signal.Ignore(syscall.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
		return err
	}
	for n := 0; ; n++ {
		_, err := s.Commit(ctx, state.Txn{Put: []state.Put{{Key: state.Key(fmt.Sprintf("n/%d", n)), Value: make([]byte, 100_000)}}})
		if err != nil {
			v, readErr := s.Read(ctx)
			fmt.Printf("%d %d %v %v\n", n, len(v.Records), errors.Is(err, state.ErrFull), readErr)
			fmt.Println(err)
			return nil
		}
	}
}

// start starts a child on a directory.
func start(t *testing.T, what, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+what+":"+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

// TestKilledHolder kills the holder of the lock: it is free at once.
func TestKilledHolder(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	cmd, out := start(t, "lock", dir)
	if !out.Scan() || out.Text() != "locked" {
		t.Fatalf("the child says %q", out.Text())
	}
	_, err := s.Lock(t.Context(), state.Holder{ID: "me"}, 0)
	var locked *state.LockedError
	if !errors.As(err, &locked) || locked.Holder.PID != cmd.Process.Pid {
		t.Fatalf("got error %v, want the child's lock", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if h, err := s.Holder(t.Context()); h != nil || err != nil {
		t.Errorf("holder %v, error %v", h, err)
	}
	if err := s.BreakLock(t.Context(), "child"); !errors.Is(err, state.ErrNotLocked) {
		t.Errorf("got error %v, want ErrNotLocked", err)
	}
	if _, err := s.Lock(t.Context(), state.Holder{ID: "me"}, 0); err != nil {
		t.Error(err)
	}
}

// TestCrash kills a writer at any moment, fifty times: what it said to be there is there, whole.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(3, 4))
	last := 0
	for round := range 50 {
		cmd, out := start(t, "count", dir)
		lines := make(chan int, 10_000)
		go func() {
			defer close(lines)
			for out.Scan() {
				if n, err := strconv.Atoi(out.Text()); err == nil {
					lines <- n
				} else {
					t.Errorf("the child says %q", out.Text())
				}
			}
		}()
		last = max(last, <-lines) // it is at work
		time.AfterFunc(time.Duration(r.IntN(30_000))*time.Microsecond, func() { cmd.Process.Kill() })
		for n := range lines {
			last = n
		}
		cmd.Wait()
		checkCount(t, openStore(t, dir), last)
		if t.Failed() {
			t.Fatalf("after kill %d", round+1)
		}
	}
	if last < 100 {
		t.Errorf("only %d commits in all: too few to mean anything", last)
	}
	t.Logf("%d commits", last)
}

// checkCount checks that what count said up to last is there, and at most one more.
func checkCount(t *testing.T, s *Store, last int) {
	t.Helper()
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[state.Key]string{}
	for _, r := range v.Records {
		got[r.Key] = string(r.Value)
	}
	n, err := strconv.Atoi(got["last"])
	if err != nil || n < last || n > last+1 || v.Serial != state.Serial(n) {
		t.Fatalf("recorded are %q at serial %d, acknowledged %d", got["last"], v.Serial, last)
	}
	want := 1
	for i := max(1, n-299); i <= n; i++ {
		value := strings.Repeat(strconv.Itoa(i)+" ", i%500)
		for _, half := range []string{"a", "b"} {
			if k := state.Key(fmt.Sprintf("n/%06d/%s", i, half)); got[k] != value {
				t.Fatalf("%s is %q, want %q", k, got[k], value)
			}
			want++
		}
	}
	if len(got) != want {
		t.Fatalf("%d records, want %d", len(got), want)
	}
}

// TestProcesses lets four processes raise one counter.
func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	var cmds []*exec.Cmd
	for range 4 {
		cmd, out := start(t, "add", dir)
		cmds = append(cmds, cmd)
		go func() {
			for out.Scan() {
				t.Error(out.Text())
			}
		}()
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	v, err := openStore(t, dir).Read(t.Context())
	if err != nil || len(v.Records) != 1 || string(v.Records[0].Value) != "200" {
		t.Errorf("%+v, error %v; want 200", v, err)
	}
}

func TestFull(t *testing.T) {
	dir := t.TempDir()
	_, out := start(t, "full", dir)
	out.Scan()
	var n, records int
	var isFull bool
	var readErr string
	if _, err := fmt.Sscan(out.Text(), &n, &records, &isFull, &readErr); err != nil {
		t.Fatalf("the child says %q: %v", out.Text(), err)
	}
	if n < 2 || records != n || !isFull || readErr != "<nil>" {
		t.Errorf("%d commits, then ErrFull: %v; %d records, read error %s", n, isFull, records, readErr)
	}
	out.Scan()
	if !strings.Contains(out.Text(), filepath.Join(dir, "shop", "state.db")) || !strings.Contains(out.Text(), "bytes more") {
		t.Errorf("the error is %q, want the path and the bytes", out.Text())
	}
	s := openStore(t, dir)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	commit(t, s, "a", "1")
}

// TestReadOnly takes root's power over files from this thread, where it has it.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	commit(t, s, "a", "1")
	missing := openStore(t, filepath.Join(dir, "sub"))
	for _, p := range []string{s.Path(), s.dir, dir, filepath.Dir(dir)} {
		mode := os.FileMode(0o555)
		if p == s.Path() {
			mode = 0o444
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(filepath.Dir(dir), 0o755)
	defer os.Chmod(dir, 0o755)
	defer os.Chmod(s.dir, 0o755)
	asNobody(t, func() {
		for _, in := range []*Store{s, missing} {
			_, err := in.Commit(t.Context(), state.Txn{Put: []state.Put{{Key: "a", Value: []byte("2")}}})
			if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(err.Error(), dir) {
				t.Errorf("commit: got error %v, want ErrReadOnly with the path", err)
			}
			if _, err := in.Lock(t.Context(), state.Holder{ID: "x"}, 0); !errors.Is(err, state.ErrReadOnly) {
				t.Errorf("lock: got error %v, want ErrReadOnly", err)
			}
		}
		if v, err := s.Read(t.Context()); err != nil || len(v.Records) != 1 {
			t.Errorf("read: %d records, error %v", len(v.Records), err)
		}
	})
}

// TestBusy keeps the file from others: they give up in time and say what they waited for.
func TestBusy(t *testing.T) {
	dir := t.TempDir()
	s, other := openStore(t, dir), openStore(t, dir)
	commit(t, s, "a", "1")
	f, err := os.Open(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if ok, err := tryFlock(f, unix.LOCK_EX); !ok || err != nil {
		t.Fatal(ok, err)
	}
	other.busy = 50 * time.Millisecond
	_, err = other.Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), s.Path()) {
		t.Errorf("got error %v, want one with the path", err)
	}
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", ".stowage")
	s := openStore(t, dir)
	if _, err := s.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Holder(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a look made something: %v", err)
	}
	if names, err := Fleets(dir); names != nil || err != nil {
		t.Errorf("fleets %v, error %v", names, err)
	}
	commit(t, s, "a", "1")
	l, err := s.Lock(t.Context(), state.Holder{ID: "x"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]os.FileMode{}
	for _, name := range []string{".", "state.db", "state.db.1", "lock", "lock.json", ".gitignore"} {
		info, err := os.Stat(filepath.Join(dir, "shop", name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = info.Mode().Perm()
	}
	for name, mode := range got {
		if want := os.FileMode(0o600); name != "." && mode != want || name == "." && mode != 0o700 {
			t.Errorf("%s has mode %o", name, mode)
		}
	}
	var h state.Holder
	b, err := os.ReadFile(filepath.Join(dir, "shop", "lock.json"))
	if err != nil || json.Unmarshal(b, &h) != nil || h.ID != "x" {
		t.Errorf("lock.json is %q, error %v", b, err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if names, err := Fleets(dir); fmt.Sprint(names) != "[shop]" || err != nil {
		t.Errorf("fleets %v, error %v", names, err)
	}
	for _, name := range []fleet.Name{"", "..", "a/b"} {
		if _, err := Open(dir, name); err == nil {
			t.Errorf("the name %q was accepted", name)
		}
	}
}

// TestRemovedUnderLock removes the directory from under who holds the lock: nothing is written to a new one.
func TestRemovedUnderLock(t *testing.T) {
	s := openStore(t, t.TempDir())
	l, err := s.Lock(t.Context(), state.Holder{ID: "x"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	_, err = s.Commit(t.Context(), state.Txn{Epoch: l.Epoch(), Put: []state.Put{{Key: "a"}}})
	if !errors.Is(err, state.ErrFenced) {
		t.Errorf("got error %v, want ErrFenced", err)
	}
	<-l.Lost()
	if err := l.Unlock(); err != nil {
		t.Error(err)
	}
}

// TestForgottenDeletions lets a watch be further behind than deletions are remembered.
func TestForgottenDeletions(t *testing.T) {
	s := openStore(t, t.TempDir())
	s.maxGone = 2
	for _, k := range []string{"a", "b", "c"} {
		commit(t, s, k, "1")
	}
	for _, k := range []state.Key{"a", "b", "c"} {
		if _, err := s.Commit(t.Context(), state.Txn{Delete: []state.Key{k}}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for e, err := range s.Watch(t.Context(), 4) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, string(e.Key)); e.Serial == 6 {
			break
		}
	}
	if strings.Join(got, "") != "bc" {
		t.Errorf("after 4: %v", got)
	}
	for _, err := range s.Watch(t.Context(), 3) {
		if !errors.Is(err, state.ErrCompacted) {
			t.Errorf("after 3: got error %v, want ErrCompacted", err)
		}
		break
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCrashAtCreation kills a writer while it makes the first file.
func TestCrashAtCreation(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	before := 0
	for range 30 {
		dir := t.TempDir()
		cmd, out := start(t, "count", dir)
		time.AfterFunc(time.Duration(r.IntN(25_000))*time.Microsecond, func() { cmd.Process.Kill() })
		last := 0
		for out.Scan() {
			last++
		}
		cmd.Wait()
		s := openStore(t, dir)
		v, err := s.Read(t.Context())
		if err != nil || v.Serial < state.Serial(last) {
			t.Fatalf("serial %d, acknowledged %d, error %v", v.Serial, last, err)
		}
		if last == 0 {
			before++
		}
		commit(t, s, "a", "1")
	}
	t.Logf("%d of 30 were killed before the first commit", before)
}
