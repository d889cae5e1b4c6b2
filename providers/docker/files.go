package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// WriteFiles puts files into a container as one archive.
func (e *Engine) WriteFiles(ctx context.Context, id string, files []fleet.File, v fleet.Vault) error {
	ctx, cancel := bounded(ctx, changeTimeout)
	defer cancel()
	archive, err := archiveOf(files, v)
	if err != nil {
		return err
	}
	return changed("write files to", id, e.api.CopyToContainer(ctx, id, "/", archive, container.CopyToContainerOptions{}))
}

// filesFit refuses files that the engine would refuse once the container is there, or hide: it writes into no container
// whose root file system is read-only, running or not, and mounts a tmpfs over what was written.
func filesFit(s fleet.Spec) error {
	for _, f := range s.Files {
		why := ""
		if s.ReadOnly {
			why = "the engine puts no files into a container with read_only"
		}
		for _, m := range s.Mounts {
			if m.Kind == fleet.MountTmpfs && strings.HasPrefix(f.Path, strings.TrimSuffix(m.Target, "/")+"/") {
				why = "the tmpfs at " + m.Target + " would hide it"
			}
		}
		if why != "" {
			return &providers.Error{Op: "write", Object: f.Path, Class: providers.ErrUnsupported, Err: errors.New(why)}
		}
	}
	return nil
}

// archiveOf packs files, owned by root. Directories are not named: the engine makes those that are missing, and would
// give those that exist the owner and mode of the archive's.
func archiveOf(files []fleet.File, v fleet.Vault) (*bytes.Buffer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	now := time.Now()
	for _, f := range files {
		content, ok := v.Open(f.Content)
		if !ok {
			return nil, &providers.Error{Op: "open", Object: "file " + f.Path, Class: providers.ErrSecret}
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(path.Clean(f.Path), "/"), Mode: int64(f.Mode), Size: int64(len(content)), ModTime: now}
		if err := w.WriteHeader(h); err != nil {
			return nil, &providers.Error{Op: "pack", Object: f.Path, Class: providers.ErrInvalid, Err: err}
		}
		if _, err := w.Write([]byte(content)); err != nil {
			return nil, &providers.Error{Op: "pack", Object: f.Path, Class: providers.ErrInvalid, Err: err}
		}
	}
	return &b, w.Close()
}
