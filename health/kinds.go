package health

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

const (
	// authority is the Host of requests: no container can be asked by a name, and servers that take requests for their own names
	// only (ALLOWED_HOSTS of Django, host authorization of Rails) take this one.
	authority = "localhost"

	maxBody    = 4 << 10  // bytes read of an answer's body: words for people are looked for there and nothing else
	maxHeaders = 64 << 10 // bytes of an answer's headers, and of a command's output that are kept
)

// path is what is asked for.
func path(c fleet.Healthcheck) string {
	return "/" + strings.TrimPrefix(c.Path, "/")
}

// http is a GET. Redirects are not followed, which may lead to another server: one is an answer like another. The body of a
// healthy answer is not read, since the status says it all.
func (w *way) http(ctx context.Context) finding {
	u, err := url.Parse("http://" + authority + path(w.target.Check))
	if err != nil {
		return unhealthy("%s: %s", w.question(), cut(err.Error()))
	}
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return w.dial(ctx) },
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeaders,
	}
	defer transport.CloseIdleConnections()
	request := (&http.Request{Method: http.MethodGet, URL: u, Host: authority, Header: http.Header{"User-Agent": {"stowage"}}}).WithContext(ctx)
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return w.failed(ctx, err)
	}
	defer answer.Body.Close()
	said := w.question() + ": " + cut(answer.Status)
	if answer.StatusCode >= 200 && answer.StatusCode <= 399 {
		return healthy("%s", said)
	}
	// The status is the answer: a body that breaks off has said what it has said.
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if line := firstLine(string(body)); line != "" {
		said += ": " + strconv.Quote(line)
	}
	return unhealthy("%s", said)
}

// tcp is a connection that is accepted.
func (w *way) tcp(ctx context.Context) finding {
	conn, err := w.dial(ctx)
	if err != nil {
		return w.failed(ctx, err)
	}
	conn.Close()
	return healthy("%s accepts connections", w.question())
}

// grpc is a call of grpc.health.v1.Health/Check, without TLS.
func (w *way) grpc(ctx context.Context) finding {
	conn, err := grpc.NewClient("passthrough:///"+authority,
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return w.dial(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(authority), grpc.WithUserAgent("stowage"),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithDisableHealthCheck(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxBody)))
	if err != nil {
		return unhealthy("%s: %s", w.question(), cut(err.Error()))
	}
	defer conn.Close()
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: w.target.Check.Service})
	if err != nil {
		s := status.Convert(err)
		switch {
		case s.Code() == codes.Unimplemented:
			return unhealthy("%s: the server does not have grpc.health.v1.Health", w.question())
		case w.refused.Load():
			return w.failed(ctx, providers.ErrRefused)
		case ctx.Err() != nil:
			return w.failed(ctx, err)
		}
		return unhealthy("%s: %s: %s", w.question(), s.Code(), cut(s.Message()))
	}
	if answer.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING {
		return healthy("%s: SERVING", w.question())
	}
	return unhealthy("%s: %s", w.question(), answer.GetStatus())
}

// command is a command in the container that ends with status 0. One that is cut off at its timeout may go on there: engines
// have no way to end it.
func (w *way) command(ctx context.Context) finding {
	out := &tail{}
	code, err := w.engine.Exec(ctx, w.target.Container, providers.ExecRequest{Command: w.target.Check.Command, Stdout: out, Stderr: out})
	if err != nil {
		return w.failed(ctx, err)
	}
	said := w.question() + ": status " + strconv.Itoa(code)
	if line := lastLine(out.String()); line != "" {
		said += ": " + strconv.Quote(line)
	}
	if code == 0 {
		return healthy("%s", said)
	}
	return unhealthy("%s", said)
}

// tail is a writer that keeps the end of what is written. Standard output and standard error of a command come one after
// another, from one goroutine.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	n, err := t.Buffer.Write(p)
	if over := t.Len() - maxHeaders; over > 0 {
		t.Next(over)
	}
	return n, err
}
