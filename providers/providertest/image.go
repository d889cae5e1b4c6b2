package providertest

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

	"github.com/stowage-run/stowage/fleet"
)

const probePackage = "github.com/stowage-run/stowage/providers/providertest/probe"

// BuildImage builds the image that the suite runs and writes it to path in `docker save` form, under ref.
// It needs the go command and this module as working directory. The probe is the image's only program, at
// /probe; /existing is a directory of mode 0700.
func BuildImage(ctx context.Context, ref, path string) (fleet.Image, error) {
	dir, err := os.MkdirTemp("", "stowage-probe-")
	if err != nil {
		return fleet.Image{}, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "probe")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, probePackage)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		return fleet.Image{}, fmt.Errorf("build probe: %w: %s", err, out)
	}
	layer, err := layerOf(binary)
	if err != nil {
		return fleet.Image{}, fmt.Errorf("pack probe: %w", err)
	}
	return writeImage(layer, ref, path)
}

func layerOf(binary string) (v1.Layer, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "existing/", Mode: 0o700},
		{Typeflag: tar.TypeReg, Name: "probe", Mode: 0o755, Size: int64(len(program))},
	} {
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}

func writeImage(layer v1.Layer, ref, path string) (fleet.Image, error) {
	i, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return fleet.Image{}, err
	}
	i, err = mutate.ConfigFile(i, configOf(i))
	if err != nil {
		return fleet.Image{}, err
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		return fleet.Image{}, err
	}
	id, err := i.ConfigName()
	if err != nil {
		return fleet.Image{}, err
	}
	return fleet.Image{Ref: ref, ID: id.String()}, tarball.WriteToFile(path, tag, i)
}

func configOf(i v1.Image) *v1.ConfigFile {
	c, err := i.ConfigFile()
	if err != nil {
		c = &v1.ConfigFile{}
	}
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", runtime.GOARCH
	c.Created = v1.Time{Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	c.Config = v1.Config{Entrypoint: []string{"/probe"}, Cmd: []string{"serve"}}
	return c
}
