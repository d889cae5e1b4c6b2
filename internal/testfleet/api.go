package testfleet

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"
)

// engineClient asks the engine at a socket, whichever version it is. No call takes
// longer than a start does, and none has another's connection: an engine is killed
// and frozen here, and what was said before does not count.
func engineClient(socket string) (*client.Client, error) {
	api, err := client.NewClientWithOpts(
		client.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}),
		client.WithHost("unix://"+socket), client.WithTimeout(startTimeout), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("engine at %s: %w", socket, err)
	}
	return api, nil
}

// API asks the engine at its socket, not through SSH: for arranging things and for
// checking them with something that is not under test. It belongs to the host: do
// not close it.
func (h *Host) API() *client.Client { return h.api }

// LoadImage loads an archive in the format of docker save.
func (h *Host) LoadImage(ctx context.Context, archive string) error {
	if err := loadImage(ctx, h.api, archive); err != nil {
		return fmt.Errorf("load image %s on %s: %w", archive, h.Name, err)
	}
	return nil
}

func loadImage(ctx context.Context, api *client.Client, archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	answer, err := api.ImageLoad(ctx, f, client.ImageLoadWithQuiet(true))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	// The engine has begun to succeed when it fails: each line may be the error.
	return jsonmessage.DisplayJSONMessagesStream(answer.Body, io.Discard, 0, false, nil)
}
