package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/docker"
	"github.com/stowage-run/stowage/providers/remote/ssh"
)

// configuration writes a directory with one workload.
func (l *lab) configuration(name, hosts string, replicas int) (string, error) {
	dir := filepath.Join(l.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	text := fmt.Sprintf("stowage {\n  fleet = %q\n}\n%s\nworkload \"web\" {\n  image    = %q\n  replicas = %d\n  stop_timeout = \"1s\"\n}\n", name, hosts, tag, replicas)
	return dir, os.WriteFile(filepath.Join(dir, "stowage.hcl"), []byte(text), 0o644)
}

func (l *lab) localHost() string {
	return fmt.Sprintf("host \"local\" {\n  engine \"docker\" {\n    socket = %q\n  }\n}\n", l.fleet.Local.Socket)
}

func (l *lab) engineEnv() []string { return []string{"DOCKER_HOST=unix://" + l.fleet.Local.Socket} }

// planNew times the plan of n containers that are not there, and Terraform's beside it.
func (l *lab) planNew(n int) error {
	dir, err := l.configuration("plan-new", l.localHost(), n)
	if err != nil {
		return err
	}
	tf, err := l.terraform("tf-new", n)
	if err != nil {
		return err
	}
	ours, theirs := series{name: "stowage plan"}, series{name: "terraform plan"}
	for i := range l.runs {
		if err := ours.turn(func() (sample, error) { return l.run(dir, l.engineEnv(), l.stowage, "plan") }); err != nil {
			return err
		}
		if tf != nil && i < 2 { // a minute each
			if err := theirs.turn(tf.plan); err != nil {
				return err
			}
		}
	}
	ours.print()
	theirs.print()
	ratio(ours, theirs)
	return nil
}

// applyMany times whole applies and destroys of n containers against a program that only makes the calls.
func (l *lab) applyMany(n int) error {
	dir, err := l.configuration("apply-many", l.localHost(), n)
	if err != nil {
		return err
	}
	const concurrency = 8 // the bare program's best on two cores
	up, down := series{name: "stowage apply"}, series{name: "stowage destroy"}
	bareUp, bareDown := series{name: "bare create+start"}, series{name: "bare stop+remove"}
	for range min(l.runs, 3) {
		u, d, err := l.bare(n, concurrency)
		if err != nil {
			return err
		}
		bareUp.samples, bareDown.samples = append(bareUp.samples, u), append(bareDown.samples, d)
		s, err := l.run(dir, l.engineEnv(), l.stowage, "apply", "-auto-approve")
		if err != nil {
			return err
		}
		up.samples = append(up.samples, s)
		if s, err = l.run(dir, l.engineEnv(), l.stowage, "destroy", "-auto-approve"); err != nil {
			return err
		}
		down.samples = append(down.samples, s)
	}
	for _, s := range []series{bareUp, up, bareDown, down} {
		s.print()
	}
	ratio(up, bareUp)
	ratio(down, bareDown)
	fmt.Printf("   controller CPU: %.2f ms a container created\n", float64(middle(up.samples).cpu.Microseconds())/1000/float64(n))
	return nil
}

// planNothing times plans of n running containers with nothing to do, and compose's and Terraform's beside them.
func (l *lab) planNothing(n int) error {
	dir, err := l.configuration("nothing", l.localHost(), n)
	if err != nil {
		return err
	}
	if _, err := l.run(dir, l.engineEnv(), l.stowage, "apply", "-auto-approve"); err != nil {
		return err
	}
	defer l.run(dir, l.engineEnv(), l.stowage, "destroy", "-auto-approve")
	ours := func() (sample, error) { return l.run(dir, l.engineEnv(), l.stowage, "plan", "-detailed-exitcode") }
	if err := l.besideCompose(n, ours); err != nil {
		return err
	}
	return l.besideTerraform(n, ours)
}

func (l *lab) besideCompose(n int, plan func() (sample, error)) error {
	p, err := l.compose(n)
	if err != nil {
		return err
	}
	if p == nil {
		return l.alternate(2*l.runs, plan, series{}, nil)
	}
	defer p.down()
	return l.alternate(2*l.runs, plan, series{name: "compose up"}, p.up)
}

func (l *lab) besideTerraform(n int, plan func() (sample, error)) error {
	t, err := l.terraform("tf-nothing", n)
	if t == nil || err != nil {
		return err
	}
	defer t.destroy()
	if err := t.apply(); err != nil {
		return err
	}
	return l.alternate(l.runs, plan, series{name: "terraform plan"}, t.planEmpty)
}

// alternate times our plan and a peer's in turns; ours alone where peer is nil.
func (l *lab) alternate(times int, plan func() (sample, error), theirs series, peer func() (sample, error)) error {
	ours := series{name: "stowage plan"}
	for range times {
		if err := ours.turn(plan); err != nil {
			return err
		}
		if peer == nil {
			continue
		}
		if err := theirs.turn(peer); err != nil {
			return err
		}
	}
	ours.print()
	theirs.print()
	ratio(ours, theirs)
	return nil
}

// planOverSSH times plans over three hosts, against the slowest handshake and answer.
func (l *lab) planOverSSH() error {
	dir, err := l.configuration("over-ssh", l.fleet.HCL(), 9)
	if err != nil {
		return err
	}
	if _, err := l.run(dir, l.engineEnv(), l.stowage, "apply", "-auto-approve"); err != nil {
		return err
	}
	defer l.run(dir, l.engineEnv(), l.stowage, "destroy", "-auto-approve")
	ours, floor := series{name: "stowage plan"}, series{name: "slowest handshake + observe"}
	for range 2 * l.runs {
		s, err := l.run(dir, l.engineEnv(), l.stowage, "plan")
		if err != nil {
			return err
		}
		ours.samples = append(ours.samples, s)
		if s, err = l.slowest(); err != nil {
			return err
		}
		floor.samples = append(floor.samples, s)
	}
	ours.print()
	floor.print()
	fmt.Printf("   beyond the floor: %v\n", (middle(ours.walls()) - middle(floor.walls())).Round(time.Millisecond))
	return nil
}

// slowest connects to all three hosts at once, as a plan does, and asks each what is there.
func (l *lab) slowest() (sample, error) {
	began := time.Now()
	errs := make(chan error)
	for _, h := range l.fleet.Hosts {
		go func() {
			conn, err := ssh.Dial(l.ctx, ssh.Config{Host: h.Name, Address: h.Addr, User: "root", KeyFile: l.fleet.KeyFile, KnownHosts: l.fleet.KnownHosts})
			if err == nil {
				defer conn.Close()
				var e *docker.Engine
				if e, err = docker.New(l.ctx, docker.Config{Conn: conn}); err == nil {
					_, err = e.Observe(l.ctx, providers.Query{Fleet: fleet.ID("bench")})
				}
			}
			errs <- err
		}()
	}
	var first error
	for range l.fleet.Hosts {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return sample{wall: time.Since(began)}, first
}
