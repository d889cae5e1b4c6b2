package testfleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// claim is one fleet's share of the machine: a number, and what follows from it.
type claim struct {
	number int
	dir    string
	lock   *os.File // held as long as the owner lives; the kernel lets go of it with the process
}

// Fleets take 10.66.0.0/24 to 10.66.255.0/24.
const mostFleets = 256

func (c *claim) address(host int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 66, byte(c.number), byte(host)})
}
func (c *claim) uplink() string { return fmt.Sprintf("stowf%d", c.number) }
func (c *claim) cgroup() string { return fmt.Sprintf("stowfleet-%d", c.number) }

// take removes what dead fleets left below base and claims a free number.
func take(ctx context.Context, base string) (*claim, error) {
	gate, err := openGate(base)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	if err := sweep(ctx, base); err != nil {
		return nil, err
	}
	used, err := usedPrefixes()
	if err != nil {
		return nil, err
	}
	for n := range mostFleets {
		c := &claim{number: n, dir: filepath.Join(base, strconv.Itoa(n))}
		if overlaps(used, netip.PrefixFrom(c.address(0), 24)) {
			continue
		}
		err := c.occupy()
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("claim fleet %d: %w", n, err)
		}
	}
	return nil, fmt.Errorf("claim a fleet below %s: all %d are taken", base, mostFleets)
}

func (c *claim) occupy() error {
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		return err
	}
	lock, err := lockFile(filepath.Join(c.dir, "lock"), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(lock, "%d\n", os.Getpid()); err != nil {
		return errors.Join(err, lock.Close())
	}
	c.lock = lock
	return nil
}

// release removes all that is left of a fleet whose processes are gone, and the
// directory of all fleets after the last.
func (c *claim) release(ctx context.Context) error {
	base := filepath.Dir(c.dir)
	gate, err := openGate(base)
	if err != nil {
		return err
	}
	defer gate.Close()
	if err := c.remove(ctx); err != nil {
		return err
	}
	return closeEmpty(base)
}

// openGate makes base and waits for the lock in it, which is held while fleets come
// and go. The lock file may have been removed while we waited (closeEmpty); a lock
// on a file that is gone guards nothing.
func openGate(base string) (*os.File, error) {
	path := filepath.Join(base, "lock")
	for {
		if err := os.MkdirAll(base, 0o755); err != nil {
			return nil, fmt.Errorf("make fleet directory: %w", err)
		}
		gate, err := lockFile(path, unix.LOCK_EX)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("lock fleet directory: %w", err)
		}
		if sameFile(gate, path) {
			return gate, nil
		}
		gate.Close()
	}
}

func sameFile(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

// closeEmpty removes base if it holds nothing but the lock, which the caller has.
func closeEmpty(base string) error {
	entries, err := os.ReadDir(base)
	if err != nil || len(entries) > 1 {
		return err
	}
	if err := os.Remove(filepath.Join(base, "lock")); err != nil {
		return err
	}
	return os.Remove(base)
}

// remove is release for who holds the gate.
func (c *claim) remove(ctx context.Context) error {
	if err := removeLink(ctx, c.uplink()); err != nil {
		return err
	}
	if err := removeCgroups(c.cgroup()); err != nil {
		return err
	}
	if err := removeAll(c.dir); err != nil {
		return fmt.Errorf("remove files of fleet %d: %w", c.number, err)
	}
	return c.lock.Close()
}

// sweep removes the fleets below base whose owner is dead. Their processes ended
// with the owner (Pdeathsig); what uses their files may need a moment to be gone.
func sweep(ctx context.Context, base string) error {
	entries, err := os.ReadDir(base)
	if err != nil {
		return fmt.Errorf("look for dead fleets: %w", err)
	}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		c := &claim{number: n, dir: filepath.Join(base, e.Name())}
		c.lock, err = lockFile(filepath.Join(c.dir, "lock"), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue // its owner lives
		}
		if err != nil {
			return fmt.Errorf("lock dead fleet %d: %w", n, err)
		}
		if err := c.remove(ctx); err != nil {
			return fmt.Errorf("remove dead fleet %d: %w", n, err)
		}
	}
	return nil
}

func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func usedPrefixes() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list addresses in use: %w", err)
	}
	var used []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			used = append(used, p.Masked())
		}
	}
	return used, nil
}

func overlaps(used []netip.Prefix, p netip.Prefix) bool {
	for _, u := range used {
		if u.Overlaps(p) {
			return true
		}
	}
	return false
}

// removeCgroups removes the tree called name from every hierarchy, v1 and v2. They
// are empty by then, but the kernel says busy until the last task is reaped.
func removeCgroups(name string) error {
	var roots []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		found, err := filepath.Glob(pattern + name)
		if err != nil {
			return fmt.Errorf("find cgroups %s: %w", name, err)
		}
		roots = append(roots, found...)
	}
	for _, root := range roots {
		err := patiently(unix.EBUSY, func() error { return removeCgroupTree(root) })
		if err != nil {
			return fmt.Errorf("remove cgroup %s: %w", root, err)
		}
	}
	return nil
}

func removeCgroupTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeCgroupTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	err = unix.Rmdir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func removeAll(dir string) error {
	return patiently(unix.EBUSY, func() error { return os.RemoveAll(dir) })
}

// patiently repeats f while it returns passing, for at most stopTimeout.
func patiently(passing error, f func() error) error {
	end := time.After(stopTimeout)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := f()
		if !errors.Is(err, passing) {
			return err
		}
		select {
		case <-tick.C:
		case <-end:
			return err
		}
	}
}

// removeLink removes a network interface of this machine; one that is not there is fine.
func removeLink(ctx context.Context, name string) error {
	if !linkExists(name) {
		return nil
	}
	err := ip(ctx, nil, "link del "+name+"\n")
	if err != nil && !linkExists(name) {
		return nil // it went in between, with the namespace of its other end
	}
	return err
}

func linkExists(name string) bool {
	_, err := net.InterfaceByName(name)
	return err == nil
}
