// Package webimage builds the image of examples/web from nothing but Go: a static
// program as the only file, in an archive that every engine loads. No registry, no
// base image and no engine is needed to build it.
//
// The archive is written by hand, with archive/tar: the format is three files.
package webimage

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// Image says what to build. Two images that are equal give the same bytes when the
// same Go builds them.
type Image struct {
	Tag     string    // such as "stowage-web:1"
	Version string    // what the program says it is; two versions are two images
	Created time.Time // what the engine shows as the image's age; zero means 1970
}

const program = "github.com/stowage-run/stowage/examples/web"

// WriteFile builds the program and writes the archive (docker save's format) to path.
// It runs the go command, so the working directory has to be in this module.
func (i Image) WriteFile(ctx context.Context, path string) error {
	archive, err := i.Archive(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, archive, 0o644); err != nil {
		return fmt.Errorf("write image %s: %w", i.Tag, err)
	}
	return nil
}

// Archive is WriteFile into memory, a few MiB.
func (i Image) Archive(ctx context.Context) ([]byte, error) {
	web, err := i.compile(ctx)
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", i.Tag, err)
	}
	layer, err := tarball(file{"web", 0o755, web})
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", i.Tag, err)
	}
	config, err := json.Marshal(i.config(layer))
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", i.Tag, err)
	}
	configName, layerName := digest(config)+".json", digest(layer)+"/layer.tar"
	manifest, err := json.Marshal([]manifestEntry{{configName, []string{i.Tag}, []string{layerName}}})
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", i.Tag, err)
	}
	archive, err := tarball(file{configName, 0o644, config}, file{layerName, 0o644, layer}, file{"manifest.json", 0o644, manifest})
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", i.Tag, err)
	}
	return archive, nil
}

func (i Image) compile(ctx context.Context) ([]byte, error) {
	dir, err := os.MkdirTemp("", "stowage-web-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "web")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= -X main.version="+i.Version, "-o", out, program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", cmd, err, text)
	}
	return os.ReadFile(out)
}

type file struct {
	name string
	mode int64
	data []byte
}

// tarball holds no time and no owner, so that the same files are the same bytes.
func tarball(files ...file) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: time.Unix(0, 0)}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := io.Copy(w, bytes.NewReader(f.data)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func digest(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

type manifestEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// imageConfig is the part of the image format that a single static program needs.
type imageConfig struct {
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Created      time.Time `json:"created"`
	Config       struct {
		User         string
		ExposedPorts map[string]struct{}
		Entrypoint   []string
		StopSignal   string
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []history `json:"history"`
}

type history struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

func (i Image) config(layer []byte) imageConfig {
	created := time.Unix(0, 0).UTC()
	if !i.Created.IsZero() {
		created = i.Created.UTC()
	}
	c := imageConfig{Architecture: runtime.GOARCH, OS: "linux", Created: created}
	c.Config.User = "65532:65532"
	c.Config.ExposedPorts = map[string]struct{}{"8080/tcp": {}}
	c.Config.Entrypoint = []string{"/web"}
	c.Config.StopSignal = "SIGTERM"
	c.RootFS.Type = "layers"
	c.RootFS.DiffIDs = []string{"sha256:" + digest(layer)}
	c.History = []history{{created, "go build " + program}}
	return c
}
