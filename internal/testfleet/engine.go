package testfleet

import (
	"context"
	"net"
)

// Docker's own parts are what a distribution installs: one containerd, one dockerd,
// each with its default paths. CRI and the snapshotters that need a file system of
// their kind are off; probing them is most of containerd's start.
const containerdConfig = `version = 2
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
`

const containerdSocket = "/run/containerd/containerd.sock"

// data is where the engine keeps its files, as the host sees it. For the local one
// that is not the usual place: that is this machine's.
func (h *Host) data(name string) string {
	if h.isLocal() {
		return h.path("/var/lib/" + name)
	}
	return "/var/lib/" + name
}

func (h *Host) writeEngineConfig() error {
	if err := h.makeDirs("/var/lib/testfleet"); err != nil {
		return err
	}
	if err := writeFile(h.path("/var/lib/testfleet/containerd.toml"), containerdConfig, 0o644); err != nil {
		return err
	}
	// Not /etc/docker/daemon.json: that is this machine's.
	return writeFile(h.path("/var/lib/testfleet/docker.json"), "{}\n", 0o644)
}

func (h *Host) startContainerd(ctx context.Context) (err error) {
	h.containerd, err = startService(ctx, h.box, "containerd", h.dir,
		"containerd", "--config", h.data("testfleet/containerd.toml"), "--root", h.data("containerd"))
	if err != nil {
		return err
	}
	return h.containerd.await(ctx, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", h.path(containerdSocket))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// StartEngine starts the engine after KillEngine and waits until it answers.
func (h *Host) StartEngine(ctx context.Context) (err error) {
	if h.dockerd != nil && !h.dockerd.ended() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	// The tree of cgroups is the machine's: each host has its own branch.
	h.dockerd, err = startService(ctx, h.box, "dockerd", h.dir, "dockerd",
		"--config-file", h.data("testfleet/docker.json"), "--data-root", h.data("docker"), "--containerd", containerdSocket,
		"--exec-opt", "native.cgroupdriver=cgroupfs",
		"--cgroup-parent", "/"+h.fleet.claim.cgroup()+"/"+h.Name)
	if err != nil {
		return err
	}
	return h.dockerd.await(ctx, func(ctx context.Context) error {
		_, err := h.api.Ping(ctx)
		return err
	})
}

// KillEngine kills dockerd. The containers run on until StartEngine, when it stops
// them and starts those whose restart policy says so: live-restore is off by default.
func (h *Host) KillEngine(ctx context.Context) error { return h.dockerd.kill(ctx) }

// FreezeEngine stops dockerd from running: its socket accepts and never answers.
func (h *Host) FreezeEngine(ctx context.Context) error { return h.dockerd.signal(ctx, "STOP") }

// ThawEngine undoes FreezeEngine.
func (h *Host) ThawEngine(ctx context.Context) error { return h.dockerd.signal(ctx, "CONT") }
