// Command swarm times a rolling update of Docker Swarm on three hosts: 12 replicas, 4 at a time, no delay. It prints when
// the last new replica ran, as an observer of the engines saw it, and when Swarm said that the update was complete; and beside it
// the same of Stowage, and what the engines need for it through their own sockets. The runs alternate.
// Nothing fails a build: what cannot be measured is said, and the exit status is 0.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stowage-run/stowage/internal/observer"
	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/internal/webimage"
)

const (
	replicas = 12
	parallel = 4
	limit    = 3 * time.Minute // of one update
)

func main() {
	runs := flag.Int("runs", 3, "updates to time")
	program := flag.String("stowage", "bin/stowage", "the `program` to time beside Swarm")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx, *runs, *program); err != nil {
		fmt.Println("swarm: not measured:", err)
	}
}

func measure(ctx context.Context, runs int, program string) error {
	fleet, err := testfleet.New(ctx, testfleet.Config{Hosts: 3})
	if err != nil {
		return err
	}
	defer func() {
		if err := fleet.Close(); err != nil {
			fmt.Println("swarm: cleaning up:", err)
		}
	}()
	s := &swarm{fleet: fleet}
	if err := s.start(ctx); err != nil {
		return err
	}
	o, err := openOurs(ctx, program, fleet)
	if err != nil {
		return err
	}
	defer func() {
		if err := o.close(ctx); err != nil {
			fmt.Println("swarm: cleaning up:", err)
		}
	}()
	var f figures
	for i := range runs {
		if err := f.round(ctx, s, o, (i+1)%2); err != nil {
			return err
		}
	}
	f.print(runs)
	return nil
}

// figures are the times of all rounds.
type figures struct {
	swarmAll, swarmSaid, oursAll, oursSaid, checkedAll, checkedSaid, bare []time.Duration
	needed                                                                []float64 // ours with its check, by what engine and min_healthy_time need
}

// round times each once.
func (f *figures) round(ctx context.Context, s *swarm, o *ours, image int) error {
	for _, part := range []struct {
		all, said *[]time.Duration
		update    func() (time.Duration, time.Duration, error)
	}{
		{&f.swarmAll, &f.swarmSaid, func() (time.Duration, time.Duration, error) { return s.update(ctx, s.images[image]) }},
		{&f.oursAll, &f.oursSaid, func() (time.Duration, time.Duration, error) { return o.update(ctx, image, false) }},
		{&f.checkedAll, &f.checkedSaid, func() (time.Duration, time.Duration, error) { return o.update(ctx, image, true) }},
	} {
		all, said, err := part.update()
		if err != nil {
			return err
		}
		*part.all, *part.said = append(*part.all, all), append(*part.said, said)
	}
	engine, err := bare(ctx, s.fleet, o.images[image])
	if err != nil {
		return err
	}
	f.bare = append(f.bare, engine)
	f.needed = append(f.needed, f.checkedSaid[len(f.checkedSaid)-1].Seconds()/(engine+replicas/parallel*healthyFor).Seconds())
	return nil
}

func (f *figures) print(runs int) {
	fmt.Printf("update of %d replicas over 3 hosts, %d at a time, no delay, n=%d; median (least..most)\n", replicas, parallel, runs)
	fmt.Printf("  Swarm, all new run                      %s\n", figure(f.swarmAll))
	fmt.Printf("  Swarm, it says so                       %s\n", figure(f.swarmSaid))
	fmt.Printf("  Stowage, all new run                    %s\n", figure(f.oursAll))
	fmt.Printf("  Stowage, it says so, and all old gone   %s\n", figure(f.oursSaid))
	fmt.Printf("  the engines alone, 4 at a time          %s\n", figure(f.bare))
	fmt.Printf("  Stowage, each healthy for %v, done      %s\n", healthyFor, figure(f.checkedSaid))
	slices.Sort(f.needed)
	fmt.Printf("    by what engines and that time need    %.2f (%.2f..%.2f)\n", f.needed[len(f.needed)/2], f.needed[0], f.needed[len(f.needed)-1])
}

func figure(ds []time.Duration) string {
	slices.Sort(ds)
	const to = 10 * time.Millisecond
	return fmt.Sprintf("%v (%v..%v)", ds[len(ds)/2].Round(to), ds[0].Round(to), ds[len(ds)-1].Round(to))
}

// swarm is three hosts that are one.
type swarm struct {
	fleet  *testfleet.Fleet
	hosts  []observer.Host
	images []string // ids: of a tag, each task would ask a registry first, and wait until no name resolves
}

// start makes a swarm whose manager is the first host, and a service on it.
func (s *swarm) start(ctx context.Context) error {
	for _, version := range []string{"1", "2"} {
		if err := s.load(ctx, version); err != nil {
			return err
		}
	}
	manager := s.fleet.Hosts[0]
	if _, err := manager.Docker(ctx, "swarm", "init", "--advertise-addr", manager.Addr); err != nil {
		return err
	}
	token, err := manager.Docker(ctx, "swarm", "join-token", "-q", "worker")
	if err != nil {
		return err
	}
	for _, h := range s.fleet.Hosts {
		s.hosts = append(s.hosts, observer.Host{Name: h.Name, Socket: h.Socket, Addr: h.Addr})
		if h == manager {
			continue
		}
		if _, err := h.Docker(ctx, "swarm", "join", "--token", token, manager.Addr+":2377"); err != nil {
			return err
		}
	}
	began := time.Now()
	_, err = manager.Docker(ctx, "service", "create", "--detach", "--no-resolve-image", "--name", "web", "--replicas", strconv.Itoa(replicas),
		"--update-parallelism", strconv.Itoa(parallel), "--update-delay", "0s", s.images[0])
	if err != nil {
		return err
	}
	w := s.watch(ctx)
	defer w.Close()
	_, err = await(ctx, w, began, s.images[0])
	return err
}

func (s *swarm) load(ctx context.Context, version string) error {
	dir, err := os.MkdirTemp("", "stowage-swarm")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tag, archive := "stowage-web:"+version, filepath.Join(dir, "web.tar")
	if err := (webimage.Image{Tag: tag, Version: version}).WriteFile(ctx, archive); err != nil {
		return err
	}
	id := ""
	for _, h := range s.fleet.Hosts {
		if err := h.LoadImage(ctx, archive); err != nil {
			return err
		}
		if id, err = h.Docker(ctx, "image", "inspect", "-f", "{{.Id}}", tag); err != nil {
			return err
		}
	}
	s.images = append(s.images, id)
	return nil
}

// task reads what Swarm's labels say: a task is called web.<slot>.<id>.
func task(_ string, labels map[string]string) (observer.Identity, bool) {
	i := observer.Identity{Workload: labels["com.docker.swarm.service.name"], Slot: -1, Generation: -1}
	if parts := strings.Split(labels["com.docker.swarm.task.name"], "."); len(parts) == 3 {
		if n, err := strconv.Atoi(parts[1]); err == nil {
			i.Slot = n - 1
		}
	}
	return i, i.Workload != ""
}

func (s *swarm) watch(ctx context.Context) *observer.Observer {
	return observer.Watch(ctx, observer.Config{Hosts: s.hosts, Ours: task})
}

// await returns how long after a moment the last of all replicas of an image ran.
func await(ctx context.Context, w *observer.Observer, since time.Time, image string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	isNew := func(c observer.Container) bool { return c.ImageID == image }
	err := w.Await(ctx, func(l observer.Timeline) bool {
		_, n := l.LastNew("web", isNew)
		return n >= replicas
	})
	if err != nil {
		return 0, fmt.Errorf("waiting for %d replicas of %s: %w\n%s", replicas, image, err, w.Timeline().Changes())
	}
	last, _ := w.Timeline().LastNew("web", isNew)
	return last.To.Sub(since), nil
}

// update brings the service to an image. It returns the time until all new replicas ran, and until Swarm said that the
// update is complete, which it says 5 s after the last batch: by default it watches that long.
func (s *swarm) update(ctx context.Context, image string) (all, said time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	w := s.watch(ctx)
	defer w.Close()
	manager, began := s.fleet.Hosts[0], time.Now()
	if _, err = manager.Docker(ctx, "service", "update", "--detach", "--no-resolve-image", "--image", image, "web"); err != nil {
		return 0, 0, err
	}
	if all, err = await(ctx, w, began, image); err != nil {
		return 0, 0, err
	}
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		state, err := manager.Docker(ctx, "service", "inspect", "-f", "{{.UpdateStatus.State}}", "web")
		if err != nil {
			return 0, 0, err
		}
		if state == "completed" {
			return all, time.Since(began), nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("waiting for the end of the update, which is %s: %w", state, ctx.Err())
		}
	}
}
