package fake

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// HTTP is a Server of one port whose streams are served by a handler. Nil: the connection is refused.
func HTTP(port uint16, handler func(Visit) http.Handler) Server {
	return func(v Visit) func(net.Conn) {
		if v.Port != port {
			return nil
		}
		h := handler(v)
		if h == nil {
			return nil
		}
		return func(conn net.Conn) {
			server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
			_ = server.Serve(Single(conn)) // ends with the stream, and always with an error
		}
	}
}

// Answering is a Server of one port that answers every GET with a status that follows from the time since the container's
// start, by the world's clock: a release that is good, bad, slow to start or flaps. Status 0: the connection is refused.
func Answering(port uint16, status func(up time.Duration) int) Server {
	return HTTP(port, func(v Visit) http.Handler {
		code := status(v.Up)
		if code == 0 {
			return nil
		}
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			fmt.Fprintln(w, "up for", v.Up)
		})
	})
}

// Single is a listener that accepts one stream, for servers that take nothing else. It ends when the stream is closed.
func Single(conn net.Conn) net.Listener {
	l := &single{closed: make(chan struct{}), conns: make(chan net.Conn, 1)}
	l.conns <- &ending{Conn: conn, l: l}
	return l
}

type single struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *single) Addr() net.Addr { return address{} }

type ending struct {
	net.Conn
	l *single
}

func (e *ending) Close() error {
	err := e.Conn.Close()
	e.l.Close()
	return err
}
