package observer

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Traffic is a loop of requests under way. Its methods may be called by several goroutines at once.
type Traffic struct {
	stop   context.CancelFunc
	all    sync.WaitGroup
	client *http.Client
	urls   func() []string
	every  time.Duration

	mu      sync.Mutex
	under   map[string]bool // what is being asked
	answers map[string]int
	failed  []Failure
}

// Failure is a request that was not answered with a status from 200 to 399.
type Failure struct {
	Span // asked, failed
	URL  string
	Err  string
}

// String says when, whom and why.
func (f Failure) String() string { return fmt.Sprintf("%v GET %s: %s", f.Span, f.URL, f.Err) }

// Requests is what came of a loop of requests.
type Requests struct {
	Answered map[string]int // by URL
	Failed   []Failure      // in order of their start; those that were cut off by Close are left out
}

// loadTimeout is how long one request may take: longer than a replica needs on a busy machine, and short against what a
// person waits for.
const loadTimeout = 5 * time.Second

// Load requests every URL once an interval, each request on a connection of its own, until ctx ends or Close is called. urls is
// asked again each time, by one goroutine. A URL whose last request is still under way is left out, so that one that
// hangs has one request open and delays no other.
func Load(ctx context.Context, urls func() []string, every time.Duration) *Traffic {
	ctx, stop := context.WithCancel(ctx)
	t := &Traffic{stop: stop, client: newProber(), urls: urls, every: every, under: map[string]bool{}, answers: map[string]int{}}
	t.all.Go(func() { t.run(ctx) })
	return t
}

// Close ends the loop, waits for its goroutines and returns what came of it. A second call returns the same.
func (t *Traffic) Close() Requests {
	t.stop()
	t.all.Wait()
	slices.SortStableFunc(t.failed, func(a, b Failure) int { return a.From.Compare(b.From) })
	return Requests{t.answers, t.failed}
}

func (t *Traffic) run(ctx context.Context) {
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for ctx.Err() == nil {
		for _, url := range t.urls() {
			if t.take(url) {
				t.all.Go(func() { t.request(ctx, url) })
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (t *Traffic) take(url string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.under[url] {
		return false
	}
	t.under[url] = true
	return true
}

func (t *Traffic) request(ctx context.Context, url string) {
	asking, done := context.WithTimeout(ctx, loadTimeout)
	defer done()
	from := time.Now()
	err := get(asking, t.client, url)
	to := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.under, url)
	switch {
	case err == nil:
		t.answers[url]++
	case ctx.Err() == nil:
		t.failed = append(t.failed, Failure{Span{from, to}, url, err.Error()})
	}
}

// get reads the whole answer: one that is cut off has failed.
func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode < 200 || answer.StatusCode > 399 {
		return fmt.Errorf("%s", answer.Status)
	}
	return nil
}
