package webimage

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func build(t *testing.T, i Image) []byte {
	t.Helper()
	archive, err := i.Archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// open reads an archive as an engine does: by the tag.
func open(t *testing.T, archive []byte, tag string) v1.Image {
	t.Helper()
	ref, err := name.NewTag(tag)
	if err != nil {
		t.Fatal(err)
	}
	image, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, &ref)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func digest(t *testing.T, image v1.Image) v1.Hash {
	t.Helper()
	d, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSameImageSameBytes(t *testing.T) {
	one := Image{Tag: "stowage-web:1", Version: "1"}
	first, again := build(t, one), build(t, one)
	if !bytes.Equal(first, again) {
		t.Error("two builds of one image differ")
	}
	if a, b := digest(t, open(t, first, one.Tag)), digest(t, open(t, again, one.Tag)); a != b {
		t.Errorf("two builds of one image: digests %s and %s", a, b)
	}
	if bytes.Equal(first, build(t, Image{Tag: "stowage-web:1", Version: "2"})) {
		t.Error("images of two versions are the same")
	}
	later := Image{Tag: "stowage-web:1", Version: "1", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if bytes.Equal(first, build(t, later)) {
		t.Error("the time of creation is not in the image")
	}
}

func TestArchiveHoldsAnImage(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	image := open(t, build(t, Image{Tag: "stowage-web:1", Version: "1", Created: created}), "stowage-web:1")
	if err := validate.Image(image, validate.Fast); err != nil {
		t.Error(err)
	}
	got, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if len(got.History) != 1 || !got.History[0].Created.Equal(created) || !got.Created.Equal(created) {
		t.Errorf("created %s, history %v, want %s in both", got.Created, got.History, created)
	}
	want := v1.Config{User: "65532:65532", ExposedPorts: map[string]struct{}{"8080/tcp": {}}, Entrypoint: []string{"/web"}, StopSignal: "SIGTERM"}
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	files := mutate.Extract(image)
	defer files.Close()
	if all, err := io.ReadAll(files); err != nil || !bytes.Contains(all, []byte("\x7fELF")) {
		t.Errorf("layer has no program: %v", err)
	}
}
