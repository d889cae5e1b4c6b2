package fake

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// Server says what an image's containers do on their TCP ports. It is called for each stream to one, and returns at once,
// with the host locked. What it returns serves that stream, on a goroutine of its own that ends soon after the stream does:
// it closes conn. Nil: the connection is refused.
type Server func(Visit) (serve func(conn net.Conn))

// Visit is what a Server is asked about.
type Visit struct {
	Host fleet.HostName
	Name string // the container's
	Port uint16
	Up   time.Duration // since the container's start, by the world's clock
	Env  map[string]string
	Args []string // the container's entrypoint and command
}

// Serving returns an image whose containers serve TCP.
func (i Image) Serving(s Server) Image {
	i.Server = s
	return i
}

// Dial opens a stream to a container in memory.
func (e *engine) Dial(ctx context.Context, id string, port uint16) (net.Conn, error) {
	var conn net.Conn
	err := e.there(ctx, OpDial, id, func(h *Host, c *container) error {
		if c.seen.Phase != fleet.PhaseRunning {
			return classed(providers.ErrNotRunning, fmt.Sprintf("it is %s", c.seen.Phase))
		}
		if _, none := c.networks["none"]; none || len(c.networks) == 0 {
			return classed(providers.ErrRefused, "the container has no network")
		}
		var serve func(net.Conn)
		if c.server != nil {
			serve = c.server(Visit{Host: h.name, Name: c.seen.Name, Port: port, Up: h.world.Now().Sub(c.seen.Started), Env: c.env, Args: c.args})
		}
		if serve == nil {
			return classed(providers.ErrRefused, "nothing listens on port "+strconv.Itoa(int(port)))
		}
		conn = h.connect(c, e, serve)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// connect makes a stream to a container and begins to serve it, with the host locked.
func (h *Host) connect(c *container, e *engine, serve func(net.Conn)) net.Conn {
	client, server := newPipe()
	s := &served{client: client, server: server, by: e}
	c.streams[s] = struct{}{}
	go func() {
		defer func() {
			server.Close()
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(c.streams, s)
		}()
		serve(server)
	}()
	return client
}

// served is an open stream to a container.
type served struct {
	client, server *pipeEnd
	by             *engine
}

// hangUp ends a container's streams as the end of its process does.
func (c *container) hangUp() {
	for s := range c.streams {
		s.server.Close()
	}
}

// cut ends streams to the host's containers as the loss of the connection does: those of an engine, or with nil all.
func (h *Host) cut(by *engine, err error) {
	for _, c := range h.containers {
		for s := range c.streams {
			if by == nil || s.by == by {
				s.client.cut(&providers.Error{Op: "read from", Object: c.seen.Name, Class: providers.ErrUnreachable, Err: err})
			}
		}
	}
}
