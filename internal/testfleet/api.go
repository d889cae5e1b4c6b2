package testfleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

// APIError is an engine's refusal.
type APIError struct {
	Status  int
	Message string
}

func (e *APIError) Error() string { return fmt.Sprintf("engine says %d: %s", e.Status, e.Message) }

func engineClient(socket string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// API asks the engine at its socket, not through SSH: for arranging things and for
// checking them with something that is not under test. path is as in the engine's
// reference, such as "/containers/json?all=1"; in is sent as JSON, or as it is when
// it is an io.Reader; the answer is decoded into out. Both may be nil.
func (h *Host) API(ctx context.Context, method, path string, in, out any) error {
	return callEngine(ctx, h.client, engineCall{method, path, in, out})
}

type engineCall struct {
	method, path string
	in, out      any
}

func callEngine(ctx context.Context, client *http.Client, call engineCall) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	request, err := call.request(ctx)
	if err != nil {
		return fmt.Errorf("%s %s: %w", call.method, call.path, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", call.method, call.path, err)
	}
	defer response.Body.Close()
	if err := call.answer(response); err != nil {
		return fmt.Errorf("%s %s: %w", call.method, call.path, err)
	}
	return nil
}

func (c engineCall) request(ctx context.Context) (*http.Request, error) {
	kind, body := "", io.Reader(nil)
	switch in := c.in.(type) {
	case nil:
	case io.Reader:
		kind, body = "application/x-tar", in
	default:
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		kind, body = "application/json", bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, c.method, "http://engine"+c.path, body)
	if err == nil && kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	return request, err
}

func (c engineCall) answer(response *http.Response) error {
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 400 {
		return &APIError{response.StatusCode, strings.TrimSpace(string(text))}
	}
	switch out := c.out.(type) {
	case nil:
		return nil
	case *messageStream:
		return out.decode(text)
	}
	return json.Unmarshal(text, c.out)
}

// LoadImage loads an archive in the format of docker save.
func (h *Host) LoadImage(ctx context.Context, archive string) error {
	if err := loadImage(ctx, h.client, archive); err != nil {
		return fmt.Errorf("load image %s on %s: %w", archive, h.Name, err)
	}
	return nil
}

func loadImage(ctx context.Context, client *http.Client, archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	messages := new(messageStream)
	if err := callEngine(ctx, client, engineCall{"POST", "/images/load?quiet=1", f, messages}); err != nil {
		return err
	}
	return messages.err
}

// messageStream is the answer of a call that has begun to succeed when it fails:
// one object a line, each of which may be the error.
type messageStream struct{ err error }

func (m *messageStream) decode(text []byte) error {
	lines := json.NewDecoder(bytes.NewReader(text))
	for {
		var line struct{ Error string }
		err := lines.Decode(&line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line.Error != "" {
			m.err = errors.New(line.Error)
		}
	}
}
