package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"

	"github.com/stowage-run/stowage/internal/observer"
	"github.com/stowage-run/stowage/internal/testfleet"
)

// healthyFor is the min_healthy_time of our second figure.
const healthyFor = time.Second

// ours is the same update by Stowage, on the same hosts: no health check, as Swarm's has none, or one over HTTP.
type ours struct {
	stowage string // the program
	dir     string
	fleet   *testfleet.Fleet
	images  []string // tags
	round   int
}

// openOurs makes 12 replicas of the first image.
func openOurs(ctx context.Context, stowage string, f *testfleet.Fleet) (*ours, error) {
	path, err := filepath.Abs(stowage)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "stowage-bench")
	if err != nil {
		return nil, err
	}
	o := &ours{stowage: path, dir: dir, fleet: f, images: []string{"stowage-web:1", "stowage-web:2"}}
	_, _, err = o.update(ctx, 0, false)
	return o, err
}

func (o *ours) close(ctx context.Context) error {
	defer os.RemoveAll(o.dir)
	return o.run(ctx, "destroy")
}

func (o *ours) run(ctx context.Context, command string) error {
	cmd := exec.CommandContext(ctx, o.stowage, command, "-auto-approve")
	cmd.Dir, cmd.Env = o.dir, append(os.Environ(), "HOME="+o.dir, "DOCKER_HOST=unix:///nonexistent.sock")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("stowage %s: %w\n%s", command, err, bytes.TrimSpace(out))
	}
	return nil
}

// update brings the workload to an image. It returns the time until all new replicas ran, and until Stowage said that it is done.
func (o *ours) update(ctx context.Context, image int, checked bool) (all, said time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	o.round++
	check, min := "", "0s"
	if checked {
		check, min = "  healthcheck {\n    http = \"/healthz\"\n    port = \"http\"\n  }\n", healthyFor.String()
	}
	hcl := fmt.Sprintf("stowage {\n  fleet           = \"ours\"\n  deletion_budget = \"100%%\"\n}\n\n%s\nworkload \"web\" {\n  image    = %q\n  replicas = %d\n"+
		"  env      = { ROUND = \"%d\" }\n  port \"http\" {\n    container = 8080\n    host      = \"auto\"\n  }\n%s  update {\n    max_parallel     = %d\n    max_surge        = %d\n    min_healthy_time = %q\n  }\n}\n",
		o.fleet.HCL(), o.images[image], replicas, o.round, check, parallel, parallel, min)
	if err := os.WriteFile(filepath.Join(o.dir, "stowage.hcl"), []byte(hcl), 0o644); err != nil {
		return 0, 0, err
	}
	var hosts []observer.Host
	for _, h := range o.fleet.Hosts {
		hosts = append(hosts, observer.Host{Name: h.Name, Socket: h.Socket, Addr: h.Addr})
	}
	old := map[string]bool{}
	w := observer.Watch(ctx, observer.Config{Hosts: hosts, Ours: observer.ByName("ours")})
	defer w.Close()
	began := time.Now()
	if err := w.Await(ctx, func(l observer.Timeline) bool { return !l.Observed().To.IsZero() && l.Observed().To.After(began) }); err != nil {
		return 0, 0, err
	}
	there, _ := w.Timeline().At(time.Now())
	for _, c := range there {
		old[c.ID] = true
	}
	began = time.Now()
	if err := o.run(ctx, "apply"); err != nil {
		return 0, 0, err
	}
	said = time.Since(began)
	isNew := func(c observer.Container) bool { return !old[c.ID] }
	if err := w.Await(ctx, func(l observer.Timeline) bool { _, n := l.LastNew("web", isNew); return n >= replicas }); err != nil {
		return 0, 0, fmt.Errorf("waiting for %d new replicas: %w", replicas, err)
	}
	last, _ := w.Timeline().LastNew("web", isNew)
	return last.To.Sub(began), said, nil
}

// bare is what the engines need for the same: creates, starts, stops and removals of 12 containers, 4 at once, through their own sockets
// and with nothing between.
func bare(ctx context.Context, f *testfleet.Fleet, image string) (time.Duration, error) {
	ids := make([]string, replicas)
	for i := range ids {
		var err error
		if ids[i], err = place(ctx, f, i, image, fmt.Sprintf("bare-%d-old", i)); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	fresh := make([]string, replicas)
	for first := 0; first < replicas; first += parallel {
		errs := make([]error, parallel)
		var batch sync.WaitGroup
		for j := range parallel {
			i := first + j
			batch.Go(func() {
				if fresh[i], errs[j] = place(ctx, f, i, image, fmt.Sprintf("bare-%d-new", i)); errs[j] == nil {
					errs[j] = displace(ctx, f, i, ids[i])
				}
			})
		}
		batch.Wait()
		for _, err := range errs {
			if err != nil {
				return 0, err
			}
		}
	}
	took := time.Since(began)
	for i, id := range fresh {
		if err := displace(ctx, f, i, id); err != nil {
			return 0, err
		}
	}
	return took, nil
}

func apiOf(f *testfleet.Fleet, i int) *client.Client { return f.Hosts[i%len(f.Hosts)].API() }

func place(ctx context.Context, f *testfleet.Fleet, i int, image, name string) (string, error) {
	api := apiOf(f, i)
	port := nat.Port("8080/tcp")
	number := 25000 + i
	if strings.HasSuffix(name, "new") {
		number += replicas
	}
	c, err := api.ContainerCreate(ctx, &container.Config{Image: image, ExposedPorts: nat.PortSet{port: {}}},
		&container.HostConfig{PortBindings: nat.PortMap{port: {{HostPort: fmt.Sprint(number)}}}}, nil, nil, name)
	if err != nil {
		return "", err
	}
	return c.ID, api.ContainerStart(ctx, c.ID, container.StartOptions{})
}

func displace(ctx context.Context, f *testfleet.Fleet, i int, id string) error {
	api := apiOf(f, i)
	if err := api.ContainerStop(ctx, id, container.StopOptions{}); err != nil {
		return err
	}
	return api.ContainerRemove(ctx, id, container.RemoveOptions{})
}
