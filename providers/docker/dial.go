package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/remote"
)

const (
	// dialTimeout bounds an opening without a deadline. A connection on one host takes a millisecond, and the kernel says after
	// three seconds that an address is nobody's.
	dialTimeout = 10 * time.Second
	// nextAddress is how long one address of several has before the next is tried beside it. A bridge answers within a
	// millisecond; a macvlan network of the container, which its own host cannot reach, never does.
	nextAddress = 250 * time.Millisecond
	// maxJoined bounds how many containers that share one another's network are followed.
	maxJoined = 4
)

// Dial opens a stream to a container's TCP port.
//
// The address is asked for each time, which costs one round trip. Rejected: keeping it. A container that was started again
// has another address, and its old one is given to somebody else, who would answer in its place.
func (e *Engine) Dial(ctx context.Context, id string, port uint16) (net.Conn, error) {
	ctx, cancel := bounded(ctx, dialTimeout)
	defer cancel()
	name, addrs, err := e.addresses(ctx, id)
	if err != nil {
		return nil, err
	}
	object := name + ":" + strconv.Itoa(int(port))
	if len(addrs) == 0 {
		return nil, &providers.Error{Op: "dial", Object: object, Class: providers.ErrRefused, Err: errors.New("the container has no network")}
	}
	conn, errs := e.dialFirst(ctx, addrs, port)
	if conn == nil {
		return nil, dialFailed(object, errs)
	}
	return &stream{Conn: conn, engine: e, object: object}, nil
}

// addresses returns a running container's name and where its host reaches it.
func (e *Engine) addresses(ctx context.Context, id string) (name string, addrs []string, err error) {
	for next := range maxJoined {
		j, err := e.api.ContainerInspect(ctx, id)
		if err != nil {
			return "", nil, looked("dial", id, err)
		}
		c, err := containerOf(j)
		if err != nil {
			return "", nil, err
		}
		if next == 0 {
			name = c.Name
		}
		if c.Phase != fleet.PhaseRunning {
			return "", nil, &providers.Error{Op: "dial", Object: name, Class: providers.ErrNotRunning, Err: fmt.Errorf("it is %s", c.Phase)}
		}
		if !j.HostConfig.NetworkMode.IsContainer() {
			return name, addressesOf(j), nil
		}
		id = j.HostConfig.NetworkMode.ConnectedContainer()
	}
	return name, nil, nil
}

// addressesOf lists where a host reaches a container: its own loopback where it shares that, else an address of each
// network, in the order of their names.
func addressesOf(j container.InspectResponse) []string {
	if j.HostConfig.NetworkMode.IsHost() {
		return []string{"127.0.0.1"}
	}
	if j.NetworkSettings == nil {
		return nil
	}
	var addrs []string
	for _, n := range slices.Sorted(maps.Keys(j.NetworkSettings.Networks)) {
		switch at := j.NetworkSettings.Networks[n]; {
		case at == nil:
		case at.IPAddress != "":
			addrs = append(addrs, at.IPAddress)
		case at.GlobalIPv6Address != "":
			addrs = append(addrs, at.GlobalIPv6Address)
		}
	}
	return addrs
}

// dialed is what became of one address.
type dialed struct {
	conn net.Conn
	err  error
}

// dialFirst returns the first stream that an address accepts. Each address is tried once the one before has refused, or has
// been silent for a while. What is opened later than the first is closed, and all are waited for.
func (e *Engine) dialFirst(ctx context.Context, addrs []string, port uint16) (net.Conn, []error) {
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan dialed)
	begun, ended := 0, 0
	defer func() {
		cancel()
		for ; ended < begun; ended++ {
			if late := <-results; late.conn != nil {
				late.conn.Close()
			}
		}
	}()
	begin := func() {
		addr := net.JoinHostPort(addrs[begun], strconv.Itoa(int(port)))
		begun++
		go func() {
			conn, err := e.conn.DialContext(ctx, "tcp", addr)
			results <- dialed{conn, err}
		}()
	}
	begin()
	tick := time.NewTicker(nextAddress)
	defer tick.Stop()
	var errs []error
	for {
		select {
		case r := <-results:
			ended++
			if r.err == nil {
				return r.conn, nil
			}
			errs = append(errs, r.err)
			switch {
			case begun < len(addrs):
				begin()
			case ended == begun:
				return nil, errs
			}
		case <-tick.C:
			if begun < len(addrs) {
				begin()
			}
		}
	}
}

// dialFailed is the error of a port that did not accept. Only when every address was refused is that what is known of it.
func dialFailed(object string, errs []error) error {
	class := providers.ErrRefused
	for _, err := range errs {
		if !errors.Is(err, remote.ErrRefused) {
			class = providers.ErrUnreachable
		}
	}
	return &providers.Error{Op: "dial", Object: object, Class: class, Err: trim(errors.Join(errs...))}
}

// stream is a stream to a container. It tells the loss of the connection to the host from what the container does.
type stream struct {
	net.Conn
	engine *Engine
	object string
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	return n, s.lost("read from", err)
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	return n, s.lost("write to", err)
}

// lost gives an error of the connection its class, and leaves the others, io.EOF above all, as they are.
func (s *stream) lost(op string, err error) error {
	var re *remote.Error
	if errors.As(err, &re) || err != nil && !s.engine.Alive() {
		return unreachable(op, s.object, err)
	}
	return err
}
