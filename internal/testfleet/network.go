package testfleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"

	"golang.org/x/sys/unix"
)

// connect makes the bridge and this machine's link to it.
func (f *Fleet) connect(ctx context.Context) error {
	err := ip(ctx, f.hub, "link set lo up\nlink add bridge type bridge\nlink set bridge up\n")
	if err != nil {
		return err
	}
	err = ip(ctx, nil, fmt.Sprintf("link add %[1]s type veth peer name uplink netns %[2]d\n"+
		"addr add %[3]s/24 dev %[1]s\nlink set %[1]s up\n", f.claim.uplink(), f.hub.pid, f.claim.address(1)))
	if err != nil {
		return err
	}
	return ip(ctx, f.hub, "link set uplink master bridge up\n")
}

// plug makes the link between the bridge and the host. Its hardware address stays
// the same over a reboot, as a card's does, so that nobody's ARP table is wrong.
func (h *Host) plug(ctx context.Context) error {
	hub := h.fleet.hub
	err := ip(ctx, hub, fmt.Sprintf("link add %[1]s type veth peer name eth0 netns %[2]d\n"+
		"link set %[1]s master bridge up\n", h.Name, h.box.pid))
	if err != nil {
		return err
	}
	return ip(ctx, h.box, fmt.Sprintf("link set lo up\nlink set eth0 address 02:66:00:%02x:00:%02x\n"+
		"addr add %s/24 dev eth0\nlink set eth0 up\n", h.fleet.claim.number, h.number, h.Addr))
}

// unplug removes the link, if there is one.
func (h *Host) unplug(ctx context.Context) {
	// The link goes with the host's namespace anyway; this is only sooner.
	_ = ip(ctx, h.fleet.hub, "link del "+h.Name+"\n")
}

// CutLink cuts the host off, as pulling its cable does: packets are lost, no
// connection is closed. Twice is fine.
func (h *Host) CutLink(ctx context.Context) error {
	return ip(ctx, h.fleet.hub, "link set "+h.Name+" down\n")
}

// RestoreLink undoes CutLink. Twice is fine.
func (h *Host) RestoreLink(ctx context.Context) error {
	return ip(ctx, h.fleet.hub, "link set "+h.Name+" up\n")
}

// Dial connects from inside the host, so that its 127.0.0.1 can be reached.
func (h *Host) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	within := h.Within(func() { conn, err = new(net.Dialer).DialContext(ctx, network, address) })
	if err = errors.Join(within, err); err != nil {
		return nil, fmt.Errorf("dial %s from %s: %w", address, h.Name, err)
	}
	return conn, nil
}

// Within calls f on a thread that is in the host's network: what f dials itself, in digits and of one family, is dialled
// from there. On an error f was not called.
func (h *Host) Within(f func()) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread is in the host's network and ends with the goroutine.
		runtime.LockOSThread()
		err := enter(h.box.pid)
		if err == nil {
			f()
		}
		done <- err
	}()
	return <-done
}

func enter(pid int) error {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, unix.CLONE_NEWNET)
}
