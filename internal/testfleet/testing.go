package testfleet

import (
	"context"
	"sync"
	"testing"
)

// Option changes a Config before a test's fleet starts.
type Option func(*Config)

// WithHostKeys gives every host a key of each kind.
func WithHostKeys(kinds ...KeyType) Option { return func(c *Config) { c.HostKeys = kinds } }

// WithSSHD adds lines to every host's sshd_config.
func WithSSHD(lines ...string) Option { return func(c *Config) { c.SSHD = lines } }

// WithLocal adds a host that stands for this machine, as Fleet.Local.
func WithLocal() Option { return func(c *Config) { c.Local = true } }

// Start starts n hosts for one test, which ends them. It never skips: a machine that
// cannot run a fleet fails the test and says what it lacks.
func Start(t testing.TB, n int, options ...Option) *Fleet {
	t.Helper()
	config := Config{Hosts: n}
	for _, o := range options {
		o(&config)
	}
	f, err := New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// Shared is one fleet for all tests of a package, started when the first test asks:
//
//	var shared = testfleet.Shared{Hosts: 3}
//
//	func TestMain(m *testing.M) { shared.Main(m) }
//
//	func TestX(t *testing.T) { f := shared.Fleet(t) ... }
//
// A test leaves the hosts as it found them.
type Shared struct {
	Hosts int

	once  sync.Once
	fleet *Fleet
	err   error
}

// Fleet returns the fleet; the first call starts it.
func (s *Shared) Fleet(t testing.TB) *Fleet {
	t.Helper()
	s.once.Do(func() {
		s.fleet, s.err = New(context.WithoutCancel(t.Context()), Config{Hosts: s.Hosts})
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.fleet
}

// Main runs the tests and then ends the fleet. The package's TestMain returns after it.
func (s *Shared) Main(m *testing.M) {
	m.Run() // keeps the exit code for when TestMain returns
	if s.fleet == nil {
		return
	}
	if err := s.fleet.Close(); err != nil {
		panic(err)
	}
}
