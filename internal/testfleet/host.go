package testfleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"
)

// Host is one running host. Its methods may be used by one goroutine at a time;
// different hosts are independent.
type Host struct {
	Name   string // h1, h2, ...; also its hostname
	Addr   string // its IPv4 address; sshd is on port 22
	Socket string // its engine's socket as a path on this machine; on the host it is /var/run/docker.sock too

	fleet      *Fleet
	number     int
	dir        string
	box        *sandbox
	hostKeys   []hostKey
	sshd       *service
	containerd *service
	dockerd    *service
	api        *client.Client
	forwarding bool
}

// engineDir is made on this machine if it is not there, as every dockerd does: what
// is not there cannot be covered.
const engineDir = "/etc/docker"

// Where a host has a directory of its own. Everything else it shares with this
// machine: do not have containers write elsewhere. In /etc/docker an engine up to 23
// keeps its id: hosts that shared it would all be one machine to who asks.
func (h *Host) privateDirs() []string {
	if h.isLocal() {
		return []string{"/run", engineDir}
	}
	return []string{"/run", "/var", "/root", "/tmp", "/etc/ssh", engineDir, "/srv", "/mnt", "/home"}
}

// newHost describes a host; number 0 is the local one.
func (f *Fleet) newHost(number int) (*Host, error) {
	h := &Host{
		Name: fmt.Sprintf("h%d", number), Addr: f.claim.address(10 + number).String(),
		fleet: f, number: number, forwarding: true,
	}
	if h.isLocal() {
		h.Name = "local"
	}
	h.dir = f.path(h.Name)
	h.Socket = h.path("/run/docker.sock")
	var err error
	h.api, err = engineClient(h.Socket)
	return h, err
}

func (h *Host) isLocal() bool { return h.number == 0 }

// path is where a private path of the host is on this machine.
func (h *Host) path(inside string) string { return filepath.Join(h.dir, inside) }

func (h *Host) makeDirs(dirs ...string) error {
	if err := os.MkdirAll(engineDir, 0o755); err != nil {
		return fmt.Errorf("make directories of %s: %w", h.Name, err)
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(h.path(dir), 0o755); err != nil {
			return fmt.Errorf("make directories of %s: %w", h.Name, err)
		}
	}
	return nil
}

// furnishLocal writes the little that the local host does not share.
func (h *Host) furnishLocal() error {
	if err := h.makeDirs(h.privateDirs()...); err != nil {
		return err
	}
	return h.writeEngineConfig()
}

// furnish writes the files a fresh installation has. HOME holds nothing that a
// shell would read: what runs over SSH pays for no one's .bashrc.
func (h *Host) furnish(public string) error {
	dirs := append(h.privateDirs(), "/root/.ssh", "/var/lib", "/var/log", "/var/tmp")
	if err := h.makeDirs(dirs...); err != nil {
		return err
	}
	if err := os.Symlink("/run", h.path("/var/run")); err != nil {
		return fmt.Errorf("furnish %s: %w", h.Name, err)
	}
	if err := os.Chmod(h.path("/tmp"), 0o1777|os.ModeSticky); err != nil {
		return fmt.Errorf("furnish %s: %w", h.Name, err)
	}
	if err := writeFile(h.path("/root/.ssh/authorized_keys"), public, 0o600); err != nil {
		return err
	}
	// sshd without PAM refuses root where its password is locked with "!".
	if err := writeFile(h.path("shadow"), "root:*:20000:0:99999:7:::\n", 0o600); err != nil {
		return err
	}
	if err := h.writeEngineConfig(); err != nil {
		return err
	}
	return h.makeHostKeys()
}

// mounts is what startSandbox takes. The one that hides the fleet's own directory
// comes last: after it, no private directory can be found any more.
func (h *Host) mounts() []string {
	var mounts []string
	if !h.isLocal() {
		mounts = []string{h.path("shadow"), "/etc/shadow"}
	}
	var last []string
	for _, dir := range h.privateDirs() {
		if strings.HasPrefix(h.dir, dir+"/") {
			last = []string{h.path(dir), dir}
			continue
		}
		mounts = append(mounts, h.path(dir), dir)
	}
	return append(mounts, last...)
}

// boot starts a host that is off and waits until sshd and the engine answer.
func (h *Host) boot(ctx context.Context) error {
	if err := clear(h.path("/run"), "sshd"); err != nil {
		return fmt.Errorf("boot %s: %w", h.Name, err)
	}
	box, err := startSandbox(ctx, h.Name, h.mounts())
	if err != nil {
		return err
	}
	h.box = box
	if err := h.plug(ctx); err != nil {
		return fmt.Errorf("boot %s: %w", h.Name, err)
	}
	services, ctx := errgroup.WithContext(ctx)
	if !h.isLocal() {
		services.Go(func() error { return h.startSSHD(ctx) })
	}
	services.Go(func() error {
		if err := h.startContainerd(ctx); err != nil {
			return err
		}
		return h.StartEngine(ctx)
	})
	return services.Wait()
}

// clear empties a directory and makes one in it.
func clear(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := removeAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.Mkdir(filepath.Join(dir, keep), 0o755)
}

// powerOff ends every process of the host at once. Its files stay.
func (h *Host) powerOff() error {
	if h.box == nil {
		return nil
	}
	for _, s := range []*service{h.sshd, h.containerd, h.dockerd} {
		s.release()
	}
	if err := h.box.kill(); err != nil {
		return err
	}
	h.box, h.sshd, h.containerd, h.dockerd = nil, nil, nil, nil
	return nil
}

// PowerOff takes the power away: every process ends at once, containers too, and
// the host stops answering. Its disk stays. A host that is off stays off.
func (h *Host) PowerOff(ctx context.Context) error {
	if h.box == nil {
		return nil
	}
	h.unplug(ctx)
	return h.powerOff()
}

// PowerOn boots a host that is off and waits until it answers. The engine starts
// the containers whose restart policy says so.
func (h *Host) PowerOn(ctx context.Context) error {
	if h.box != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := h.boot(ctx); err != nil {
		return errors.Join(err, h.powerOff())
	}
	return nil
}

// Reboot is PowerOff and PowerOn.
func (h *Host) Reboot(ctx context.Context) error {
	if err := h.PowerOff(ctx); err != nil {
		return err
	}
	return h.PowerOn(ctx)
}

// Command is a command on the host, as root, without SSH. It is for looking and for
// breaking things; what is under test goes through SSH.
func (h *Host) Command(ctx context.Context, args ...string) *exec.Cmd {
	return h.box.command(ctx, inAll, args...)
}

// Docker runs the docker command on the host and returns what it prints, trimmed.
func (h *Host) Docker(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := h.Command(ctx, append([]string{"docker"}, args...)...)
	var refusal bytes.Buffer
	cmd.Stderr = &refusal
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("docker %s on %s: %w: %s", strings.Join(args, " "), h.Name, err, bytes.TrimSpace(refusal.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// HCL returns the host's block, one argument a line.
func (h *Host) HCL() string {
	if h.isLocal() {
		return fmt.Sprintf("host %q {\n  engine \"docker\" {\n    socket = %q\n  }\n}\n", h.Name, h.Socket)
	}
	return fmt.Sprintf(`host %q {
  address = %q
  ssh {
    user        = "root"
    key_file    = %q
    known_hosts = %q
  }
}
`, h.Name, h.Addr, h.fleet.KeyFile, h.fleet.KnownHosts)
}
