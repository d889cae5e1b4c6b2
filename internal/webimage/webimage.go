// Package webimage builds the image of examples/web from nothing but Go: a static
// program as the only file, in an archive that every engine loads. No registry, no
// base image and no engine is needed to build it.
package webimage

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
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
	tag, err := name.NewTag(i.Tag)
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", i.Tag, err)
	}
	web, err := i.compile(ctx)
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", i.Tag, err)
	}
	image, err := i.assemble(web)
	if err != nil {
		return nil, fmt.Errorf("build image %s: %w", i.Tag, err)
	}
	var archive bytes.Buffer
	if err := tarball.Write(tag, image, &archive); err != nil {
		return nil, fmt.Errorf("build image %s: %w", i.Tag, err)
	}
	return archive.Bytes(), nil
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

func (i Image) assemble(web []byte) (v1.Image, error) {
	layer, err := layerOf(web)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: time.Unix(0, 0).UTC()}
	if !i.Created.IsZero() {
		created.Time = i.Created.UTC()
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		Architecture: runtime.GOARCH, OS: "linux", Created: created, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User: "65532:65532", ExposedPorts: map[string]struct{}{"8080/tcp": {}}, Entrypoint: []string{"/web"}, StopSignal: "SIGTERM",
		},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: created, CreatedBy: "go build " + program}})
}

// layerOf holds no time and no owner, so that the same program is the same layer.
// crane.Layer would do, but for the mode: its files cannot be executed.
func layerOf(web []byte) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "web", Mode: 0o755, Size: int64(len(web)), ModTime: time.Unix(0, 0)}); err != nil {
		return nil, err
	}
	if _, err := w.Write(web); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }, tarball.WithCompressedCaching)
}
