package webimage

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func build(t *testing.T, i Image) []byte {
	t.Helper()
	archive, err := i.Archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func TestSameImageSameBytes(t *testing.T) {
	one := Image{Tag: "stowage-web:1", Version: "1"}
	first := build(t, one)
	if !bytes.Equal(first, build(t, one)) {
		t.Error("two builds of one image differ")
	}
	if bytes.Equal(first, build(t, Image{Tag: "stowage-web:1", Version: "2"})) {
		t.Error("images of two versions are the same")
	}
	later := Image{Tag: "stowage-web:1", Version: "1", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if bytes.Equal(first, build(t, later)) {
		t.Error("the time of creation is not in the image")
	}
}

func TestArchiveHoldsWhatTheManifestNames(t *testing.T) {
	files := unpack(t, build(t, Image{Tag: "stowage-web:1", Version: "1"}))
	var manifest []manifestEntry
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"stowage-web:1"}, manifest[0].RepoTags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	var config imageConfig
	if err := json.Unmarshal(files[manifest[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	layer := files[manifest[0].Layers[0]]
	if diff := cmp.Diff([]string{"sha256:" + digest(layer)}, config.RootFS.DiffIDs); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	if len(unpack(t, layer)["web"]) == 0 {
		t.Error("layer has no program")
	}
}

func unpack(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}
