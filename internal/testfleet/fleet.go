package testfleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Fleet is a set of running hosts. Its fields do not change after New.
//
// Local is a host that stands for this machine: it has an engine and a network, but
// no sshd, and shares all files of this machine except /run. What runs there by
// Host.Command finds its engine at /var/run/docker.sock, published ports at
// 127.0.0.1 and the other hosts at their addresses, and disturbs no engine or port
// of the real machine.
type Fleet struct {
	Hosts      []*Host // named h1, h2, ...
	Local      *Host   // with Config.Local, else nil; see there
	KeyFile    string  // the private key that opens every host, as root; mode 0600
	KnownHosts string  // the hosts' keys as New made them, in OpenSSH's format
	Dir        string  // logs and data of the hosts; removed by Close

	config Config
	claim  *claim
	hub    *sandbox        // the namespace of the bridge
	ctx    context.Context // New's without its end: Close has to work after that
}

// New starts a fleet and returns when every host answers over SSH and its engine
// answers too. When it fails, what it had started is gone again. The hosts live
// until Close, or until this process ends; ctx bounds only the start.
func New(ctx context.Context, config Config) (*Fleet, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	claim, err := take(ctx, config.Dir)
	if err != nil {
		return nil, err
	}
	f := &Fleet{Dir: claim.dir, config: config, claim: claim, ctx: context.WithoutCancel(ctx)}
	if err := f.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start fleet %d: %w", claim.number, err), f.Close())
	}
	return f, nil
}

func (f *Fleet) start(ctx context.Context) error {
	public, err := f.writeKey()
	if err != nil {
		return err
	}
	if f.hub, err = startSandbox(ctx, fmt.Sprintf("stowf%d-hub", f.claim.number), nil); err != nil {
		return err
	}
	if err := f.connect(ctx); err != nil {
		return err
	}
	for i := range f.config.Hosts {
		h, err := f.newHost(i + 1)
		if err != nil {
			return err
		}
		if err := h.furnish(public); err != nil {
			return err
		}
		f.Hosts = append(f.Hosts, h)
	}
	if f.config.Local {
		if f.Local, err = f.newHost(0); err != nil {
			return err
		}
		if err := f.Local.furnishLocal(); err != nil {
			return err
		}
	}
	if err := f.writeKnownHosts(); err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	for _, h := range f.all() {
		all.Go(func() error { return h.boot(ctx) })
	}
	return all.Wait()
}

// Close ends every process of the fleet and removes its files, links and cgroups.
// Only the first call does anything.
func (f *Fleet) Close() error {
	if f.claim == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(f.ctx, startTimeout)
	defer cancel()
	var down errgroup.Group
	for _, h := range f.all() {
		down.Go(h.powerOff)
	}
	err := down.Wait()
	if f.hub != nil {
		err = errors.Join(err, f.hub.kill())
	}
	if err != nil {
		return fmt.Errorf("close fleet %d: %w", f.claim.number, err)
	}
	if err := f.claim.release(ctx); err != nil {
		return fmt.Errorf("close fleet %d: %w", f.claim.number, err)
	}
	f.claim = nil
	return nil
}

func (f *Fleet) all() []*Host {
	if f.Local == nil {
		return f.Hosts
	}
	return append([]*Host{f.Local}, f.Hosts...)
}

// Gateway is this machine's address on the fleet's network: where hosts reach a
// registry that a test serves.
func (f *Fleet) Gateway() string { return f.claim.address(1).String() }

// HCL returns host blocks that make these hosts Stowage's.
func (f *Fleet) HCL() string {
	var b strings.Builder
	for i, h := range f.all() {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(h.HCL())
	}
	return b.String()
}

func (f *Fleet) path(name string) string { return filepath.Join(f.Dir, name) }

func writeFile(path, text string, mode os.FileMode) error {
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
