package fake

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeBuffer is how much one side may write ahead of the other, as a kernel's socket buffers let it. net.Pipe has none, and
// two sides that both begin by writing, as those of HTTP/2 do, wait for each other there.
const pipeBuffer = 64 << 10

// newPipe makes a stream in memory between a client and a server.
func newPipe() (client, server *pipeEnd) {
	up, down := newHalf(), newHalf()
	return &pipeEnd{in: down, out: up}, &pipeEnd{in: up, out: down}
}

// pipeEnd is one end. It is safe for concurrent use.
type pipeEnd struct {
	in, out *half
}

func (p *pipeEnd) Read(b []byte) (int, error)  { return p.in.read(b) }
func (p *pipeEnd) Write(b []byte) (int, error) { return p.out.write(b) }

// CloseWrite ends this end's direction only.
func (p *pipeEnd) CloseWrite() error {
	p.out.end(io.EOF, io.ErrClosedPipe)
	return nil
}

func (p *pipeEnd) Close() error {
	p.cut(net.ErrClosed)
	return nil
}

// cut ends both directions: this end's reads and writes with err, the other end's reads with io.EOF.
func (p *pipeEnd) cut(err error) {
	p.out.end(io.EOF, err)
	p.in.end(err, io.ErrClosedPipe)
}

func (p *pipeEnd) LocalAddr() net.Addr  { return address{} }
func (p *pipeEnd) RemoteAddr() net.Addr { return address{} }

func (p *pipeEnd) SetDeadline(t time.Time) error {
	p.in.setDeadline(&p.in.reading, t)
	p.out.setDeadline(&p.out.writing, t)
	return nil
}

func (p *pipeEnd) SetReadDeadline(t time.Time) error {
	p.in.setDeadline(&p.in.reading, t)
	return nil
}

func (p *pipeEnd) SetWriteDeadline(t time.Time) error {
	p.out.setDeadline(&p.out.writing, t)
	return nil
}

// address is that of either end.
type address struct{}

func (address) Network() string { return "fake" }
func (address) String() string  { return "fake" }

// half is one direction.
type half struct {
	mu   sync.Mutex
	news *sync.Cond
	buf  []byte
	// Nil while it is open. What was written before the end is still read where the end is io.EOF.
	readErr, writeErr error
	reading, writing  limit
}

// limit is a deadline.
type limit struct {
	at    time.Time
	timer *time.Timer
}

func (l limit) passed() bool { return !l.at.IsZero() && !time.Now().Before(l.at) }

func newHalf() *half {
	h := &half{}
	h.news = sync.NewCond(&h.mu)
	return h
}

func (h *half) read(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.readErr != nil && h.readErr != io.EOF:
			return 0, h.readErr
		case h.reading.passed():
			return 0, os.ErrDeadlineExceeded
		case len(h.buf) > 0:
			n := copy(b, h.buf)
			h.buf = h.buf[n:]
			h.news.Broadcast()
			return n, nil
		case h.readErr != nil:
			return 0, h.readErr
		}
		h.news.Wait()
	}
}

func (h *half) write(b []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.writeErr != nil:
			return n, h.writeErr
		case h.writing.passed():
			return n, os.ErrDeadlineExceeded
		case len(b) == 0:
			return n, nil
		}
		if room := pipeBuffer - len(h.buf); room > 0 {
			part := b[:min(room, len(b))]
			h.buf, b, n = append(h.buf, part...), b[len(part):], n+len(part)
			h.news.Broadcast()
			continue
		}
		h.news.Wait()
	}
}

// end makes reads and writes fail, each as it was first told. A reader's own closing stands above the other's end.
func (h *half) end(readErr, writeErr error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readErr == nil || h.readErr == io.EOF {
		h.readErr = readErr
	}
	if h.writeErr == nil {
		h.writeErr = writeErr
	}
	h.news.Broadcast()
}

func (h *half) setDeadline(l *limit, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.at, l.timer = t, nil
	if !t.IsZero() {
		l.timer = time.AfterFunc(time.Until(t), h.wake)
	}
	h.news.Broadcast()
}

func (h *half) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.news.Broadcast()
}
