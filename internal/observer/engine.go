package observer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// engine asks an engine's HTTP API. The path carries no version: each engine answers as its own. A frozen engine
// accepts and is silent, so that every question needs a deadline.
type engine struct {
	host   Host
	client *http.Client
}

func newEngine(host Host) engine {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", host.Socket)
	}
	return engine{host, &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

func (e engine) close() { e.client.CloseIdleConnections() }

// get decodes the whole answer: one that is cut off is an error, and not a shorter list.
func (e engine) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine"+path, nil)
	if err != nil {
		return fmt.Errorf("ask %s for %s: %w", e.host.Name, path, err)
	}
	answer, err := e.client.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s for %s: %w", e.host.Name, path, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("ask %s for %s: %w", e.host.Name, path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s for %s: %s: %s", e.host.Name, path, answer.Status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("ask %s for %s: %w", e.host.Name, path, err)
	}
	return nil
}

// listed is a container as an engine lists it: what is needed of it.
type listed struct {
	ID      string `json:"Id"`
	Names   []string
	Image   string
	ImageID string
	State   string
	Labels  map[string]string
	Ports   []struct {
		IP                      string
		PrivatePort, PublicPort int
		Type                    string
	}
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress string }
	}
}

// name is the container's own: a link from another container has more slashes.
func (l listed) name() string {
	for _, n := range l.Names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return ""
}

// list asks for all containers, running or not: what is ours is decided here and not by the engine's filter.
func (e engine) list(ctx context.Context) ([]listed, error) {
	var all []listed
	err := e.get(ctx, "/containers/json?"+url.Values{"all": {"1"}}.Encode(), &all)
	return all, err
}
