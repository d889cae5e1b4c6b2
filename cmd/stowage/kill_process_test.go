package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/state"
)

// This file is the side of the process that is killed: `stowage` with an outside that kills it by SIGKILL. It dies at the first
// place where none of its fleet's processes has died before, and writes that place down first. So whoever starts it again and again
// until it lives has had it die at every place there is, whatever the order in which a run comes by them.
//
// The places are: each record that is durably written or deleted, and the lock's taking and giving up, before anybody here learns of
// it; and each request that changes something on an engine: before it is sent, amid its body where that is long, and when
// its answer has come, through SSH where the host is reached so, before anybody here has read it. Before a record is
// written is no place of its own: all that can be found then is what the place before it left.

// deathsVar names the file of the places where processes have died. Without it none does.
const deathsVar = "STOWAGE_TEST_DEATHS"

// mortal is the command `stowage` of the tests.
func mortal() {
	file := os.Getenv(deathsVar)
	if file == "" {
		main()
		return
	}
	r, err := newReaper(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	real := theOutside()
	o := outside{
		openStore: func(s config.Settings) (state.Store, error) {
			store, err := real.openStore(s)
			if err != nil {
				return nil, err
			}
			return newMortalStore(store, r), nil
		},
		dial: func(ctx context.Context, h fleet.Host, env func(string) string) (remote.Conn, error) {
			conn, err := real.dial(ctx, h, env)
			if err != nil {
				return nil, err
			}
			return mortalConn{conn, r, h.Name}, nil
		},
	}
	os.Exit(Main(context.Background(), os.Args[1:], processStreams(), os.Environ(), o))
}

// reaper knows where processes have died, and kills this one elsewhere.
type reaper struct {
	file string

	mu   sync.Mutex // held for good by the dying: nobody else passes a place then
	died map[string]bool
	seen map[string]int // how often each object was numbered
}

func newReaper(file string) (*reaper, error) {
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	r := &reaper{file: file, died: map[string]bool{}, seen: map[string]int{}}
	for line := range strings.Lines(string(b)) {
		r.died[strings.TrimSpace(line)] = true
	}
	return r, nil
}

// number tells one touching of an object from the next.
func (r *reaper) number(object string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[object]++
	return fmt.Sprintf("%s #%d", object, r.seen[object])
}

// pass is called at a place of some objects at once. It returns where processes have died there for each of them.
func (r *reaper) pass(when string, objects ...string) {
	r.mu.Lock()
	var fresh strings.Builder
	for _, o := range objects {
		if place := when + " " + o; !r.died[place] {
			fmt.Fprintln(&fresh, place)
		}
	}
	if fresh.Len() == 0 {
		r.mu.Unlock()
		return
	}
	f, err := os.OpenFile(r.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(fresh.String()) // what the kernel has taken outlives the process
	}
	if err != nil {
		panic(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {}
}

// mortalStore is a store around whose writes the process dies. One thread makes them all, which is what lets strace count them.
type mortalStore struct {
	state.Store
	reaper *reaper
	writes chan func()

	mu      sync.Mutex
	intents map[state.Key]string // what is an intent for, by its key
}

func newMortalStore(s state.Store, r *reaper) *mortalStore {
	m := &mortalStore{Store: s, reaper: r, writes: make(chan func()), intents: map[state.Key]string{}}
	go func() {
		runtime.LockOSThread()
		for write := range m.writes {
			write()
		}
	}()
	return m
}

// write makes a change of the objects.
func (m *mortalStore) write(objects []string, change func()) {
	for i := range objects {
		objects[i] = m.reaper.number(objects[i])
	}
	done := make(chan struct{})
	m.writes <- func() {
		defer close(done)
		change()
	}
	<-done
	m.reaper.pass("after", objects...)
}

// Commit implements state.Store.
func (m *mortalStore) Commit(ctx context.Context, t state.Txn) (serial state.Serial, err error) {
	var objects []string
	for _, p := range t.Put {
		objects = append(objects, "put "+m.name(p.Key, p.Value))
	}
	for _, k := range t.Delete {
		objects = append(objects, "delete "+m.name(k, nil))
	}
	m.write(objects, func() { serial, err = m.Store.Commit(ctx, t) })
	return serial, err
}

// name is a record's in every run alike: identifiers and digests are left out.
func (m *mortalStore) name(k state.Key, value []byte) string {
	kind, _, err := k.Split()
	if err != nil {
		panic(err)
	}
	switch kind {
	case "plan", "spec", "release":
		return kind
	case "intent":
		m.mu.Lock()
		defer m.mu.Unlock()
		if value != nil {
			record, err := state.Decode(state.Record{Key: k, Value: value})
			if err != nil {
				panic(err)
			}
			in := record.(state.Intent)
			m.intents[k] = fmt.Sprintf("intent to %s %s on %s", in.Kind, in.Addr, in.Host)
		}
		return cmp.Or(m.intents[k], "intent of another process")
	}
	return string(k)
}

// Lock implements state.Store.
func (m *mortalStore) Lock(ctx context.Context, h state.Holder, wait time.Duration) (l state.Lock, err error) {
	m.write([]string{"lock"}, func() { l, err = m.Store.Lock(ctx, h, wait) })
	if err != nil {
		return nil, err
	}
	return mortalLock{l, m}, nil
}

type mortalLock struct {
	state.Lock
	store *mortalStore
}

// Unlock implements state.Lock.
func (l mortalLock) Unlock() (err error) {
	l.store.write([]string{"unlock"}, func() { err = l.Lock.Unlock() })
	return err
}

// mortalConn is a connection to a host around whose requests to an engine the process dies.
type mortalConn struct {
	remote.Conn
	reaper *reaper
	host   fleet.HostName
}

// DialContext implements remote.Conn.
func (c mortalConn) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := c.Conn.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &mortalStream{stream: conn.(stream), reaper: c.reaper, host: c.host}, nil
}

// stream is what remote.Conn gives.
type stream interface {
	net.Conn
	CloseWrite() error
}

// mortalStream carries HTTP, one request after another. A request's first bytes are written at once, so that each begins with a Write.
type mortalStream struct {
	stream
	reaper *reaper
	host   fleet.HostName

	mu      sync.Mutex
	request string // that changes something, is on its way and has no answer yet; else empty
	parts   int    // of it that were sent
}

// changing are requests that change something, and the parts of their paths that are another in each run.
var (
	changing = regexp.MustCompile(`^(POST|PUT|PATCH|DELETE) (\S+) HTTP/1\.1\r\n`)
	looking  = regexp.MustCompile(`^(GET|HEAD) \S+ HTTP/1\.1\r\n`)
	varying  = regexp.MustCompile(`^/v[0-9.]+|[0-9a-f]{64}|-g[0-9]+\b`)
)

// Write implements net.Conn.
func (s *mortalStream) Write(p []byte) (int, error) {
	if when, request := s.sends(p); when != "" {
		s.reaper.pass(when, request)
	}
	return s.stream.Write(p)
}

// sends says at which place of which request bytes are that are about to be sent; empty: at none.
func (s *mortalStream) sends(p []byte) (when, request string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if looking.Match(p) {
		s.request = ""
	}
	if m := changing.FindSubmatch(p); m != nil {
		path := varying.ReplaceAllString(string(m[2]), "")
		s.request, s.parts = s.reaper.number(fmt.Sprintf("%s %s %s", s.host, m[1], path)), 0
	}
	if s.request == "" {
		return "", ""
	}
	s.parts++
	switch s.parts {
	case 1:
		return "before", s.request
	case 3: // after the head and the body's first part
		return "amid", s.request
	}
	return "", ""
}

// Read implements net.Conn.
func (s *mortalStream) Read(p []byte) (int, error) {
	n, err := s.stream.Read(p)
	s.mu.Lock()
	request := s.request
	s.request = ""
	s.mu.Unlock()
	if request != "" && n > 0 {
		s.reaper.pass("after", request)
	}
	return n, err
}

// placesOf reads where processes have died, in that order.
func placesOf(file string) []string {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil // nobody has
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}
