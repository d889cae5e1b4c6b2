package observer

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Observer is a watch under way. Its methods may be called by several goroutines at once.
type Observer struct {
	config Config
	stop   context.CancelFunc
	all    sync.WaitGroup
	prober *http.Client

	mu    sync.Mutex
	looks []Look
	more  chan struct{} // closed when there is another look
}

// Watch begins to watch, each host in a goroutine of its own, and goes on until ctx ends or Close is called. It returns
// at once: see Await.
func Watch(ctx context.Context, config Config) *Observer {
	ctx, stop := context.WithCancel(ctx)
	o := &Observer{config: config.withDefaults(), stop: stop, more: make(chan struct{}), prober: newProber()}
	for _, h := range config.Hosts {
		o.all.Go(func() { o.watch(ctx, h) })
	}
	return o
}

// newProber follows no redirects and opens a connection for each question: one that was accepted before says nothing.
func newProber() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close ends the watch, waits for its goroutines and returns what was seen. A second call returns the same.
func (o *Observer) Close() Timeline {
	o.stop()
	o.all.Wait()
	return o.Timeline()
}

// Timeline is what was seen so far.
func (o *Observer) Timeline() Timeline {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Timeline{Looks: slices.Clone(o.looks), Silence: o.config.Silence}
}

// Await returns nil as soon as what was seen so far satisfies a condition, and ctx's error when that ends first. The
// condition is asked after each look: it is to be cheap.
func (o *Observer) Await(ctx context.Context, condition func(Timeline) bool) error {
	for {
		o.mu.Lock()
		more := o.more
		o.mu.Unlock()
		if condition(o.Timeline()) {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (o *Observer) watch(ctx context.Context, host Host) {
	e := newEngine(host)
	defer e.close()
	tick := time.NewTicker(o.config.Every)
	defer tick.Stop()
	for {
		l := o.look(ctx, e)
		if ctx.Err() != nil {
			return // what was cut off says nothing of the host
		}
		o.mu.Lock()
		o.looks = append(o.looks, l)
		close(o.more)
		o.more = make(chan struct{})
		o.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (o *Observer) look(ctx context.Context, e engine) Look {
	asking, done := context.WithTimeout(ctx, o.config.Timeout)
	defer done()
	l := Look{Host: e.host.Name, Span: Span{From: time.Now()}}
	all, err := e.list(asking)
	l.To = time.Now()
	if err != nil {
		l.Err = err.Error()
		return l
	}
	for _, x := range all {
		if c, ours := o.read(x, e.host); ours {
			l.Containers = append(l.Containers, c)
		}
	}
	slices.SortFunc(l.Containers, func(a, b Container) int { return strings.Compare(a.Name+" "+a.ID, b.Name+" "+b.ID) })
	o.probe(ctx, l.Containers)
	return l
}

func (o *Observer) read(x listed, host Host) (Container, bool) {
	name := x.name()
	id, ours := o.config.Ours(name, x.Labels)
	c := Container{Host: host.Name, ID: x.ID, Name: name, Identity: id, State: x.State, Image: x.Image, ImageID: x.ImageID}
	for _, p := range x.Ports {
		if p.Type == "tcp" && p.PublicPort != 0 && !strings.Contains(p.IP, ":") {
			c.Ports = append(c.Ports, Port{p.PrivatePort, publishedAt(p.IP, p.PublicPort, host)})
		}
	}
	slices.SortFunc(c.Ports, func(a, b Port) int {
		if a.Container != b.Container {
			return a.Container - b.Container
		}
		return strings.Compare(a.Addr, b.Addr)
	})
	for _, n := range x.NetworkSettings.Networks {
		if n.IPAddress != "" {
			c.IPs = append(c.IPs, n.IPAddress)
		}
	}
	slices.Sort(c.IPs)
	return c, ours
}

// probe asks all live containers at once.
func (o *Observer) probe(ctx context.Context, containers []Container) {
	var all sync.WaitGroup
	for i := range containers {
		c := &containers[i]
		if !c.Live() {
			c.Health = Unhealthy
			continue
		}
		url := ""
		if o.config.Probe != nil {
			url = o.config.Probe(*c)
		}
		if url == "" {
			continue
		}
		all.Go(func() {
			asking, done := context.WithTimeout(ctx, o.config.Timeout)
			defer done()
			c.Probed.From = time.Now()
			err := get(asking, o.prober, url)
			c.Probed.To = time.Now()
			c.Health = Healthy
			if err != nil {
				c.Health, c.Answer = Unhealthy, err.Error()
			}
		})
	}
	all.Wait()
}
