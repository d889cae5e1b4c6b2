package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/client"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// image looks one reference up; nil: the engine does not have it.
func (e *Engine) image(ctx context.Context, ref string) (*fleet.ObservedImage, error) {
	i, err := e.api.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, looked("inspect image", ref, err)
	}
	out := &fleet.ObservedImage{Ref: ref, ID: i.ID, Arch: i.Architecture, Created: parseTime(i.Created)}
	// An id is not the name of a repository: it has no digests there. The reader of this list compares digests only.
	if named, err := reference.ParseDockerRef(ref); err == nil {
		prefix := reference.FamiliarName(named) + "@"
		for _, d := range i.RepoDigests {
			if digest, ok := strings.CutPrefix(d, prefix); ok {
				out.Digests = append(out.Digests, digest)
			}
		}
	}
	slices.Sort(out.Digests)
	return out, nil
}

// Pull fetches an image and leaves it under its reference.
func (e *Engine) Pull(ctx context.Context, r providers.PullRequest) error {
	ctx, cancel := bounded(ctx, imageTimeout)
	defer cancel()
	name := r.Image.Ref
	if r.Image.Digest != "" {
		var err error
		if name, err = byDigest(r.Image); err != nil {
			return &providers.Error{Op: "pull", Object: r.Image.Ref, Class: providers.ErrInvalid, Err: err}
		}
		// What is here needs no registry.
		if found, err := e.image(ctx, name); err != nil {
			return err
		} else if found != nil {
			return e.tag(ctx, name, r.Image.Ref)
		}
	}
	var options image.PullOptions
	if r.Auth != nil {
		auth, err := registry.EncodeAuthConfig(registry.AuthConfig{Username: r.Auth.Username, Password: r.Auth.Password,
			IdentityToken: r.Auth.IdentityToken, ServerAddress: r.Auth.Registry})
		if err != nil {
			return &providers.Error{Op: "pull", Object: r.Image.Ref, Class: providers.ErrInvalid, Err: err}
		}
		options.RegistryAuth = auth
	}
	stream, err := e.api.ImagePull(ctx, name, options)
	if err != nil {
		return pullError(r.Image.Ref, err)
	}
	defer stream.Close()
	if err := follow(stream, r.Progress); err != nil {
		return pullError(r.Image.Ref, err)
	}
	if r.Image.Digest == "" {
		return nil
	}
	return e.tag(ctx, name, r.Image.Ref)
}

// tag leaves an image under a reference. One with a digest in it is no tag, and is there already.
func (e *Engine) tag(ctx context.Context, image, ref string) error {
	if strings.Contains(ref, "@") {
		return nil
	}
	return changed("tag", ref, e.api.ImageTag(ctx, image, ref))
}

// saidInStream is an error that came inside a stream that began well.
type saidInStream struct{ text string }

func (s *saidInStream) Error() string { return s.text }

// pullError tells "the registry does not have it" from "it refuses". A pull that broke off is unknown and harmless: it
// can be repeated.
func pullError(ref string, err error) error {
	var said *saidInStream
	class := providers.ErrUnknown
	switch {
	case errdefs.IsNotFound(err), errors.As(err, &said) && strings.Contains(said.text, "manifest unknown"):
		class = providers.ErrImageNotFound
	case classOfText(err) != nil:
		class = classOfText(err)
	case errors.As(err, &said) && strings.Contains(said.text, "no space left on device"):
		class = providers.ErrNoSpace
	case errors.As(err, &said), !notAnswered(err):
		class = providers.ErrRegistry
	case neverSent(err):
		class = providers.ErrUnreachable
	}
	return &providers.Error{Op: "pull", Object: ref, Class: class, Err: trim(err)}
}

// message is one of the engine's messages while an image comes.
type message struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Detail struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
	Error *struct {
		Message string `json:"message"`
	} `json:"errorDetail"`
}

// follow reads the engine's messages to their end. Bytes are summed over the layers.
func follow(stream io.Reader, progress func(done, total int64)) error {
	type layer struct{ done, total int64 }
	layers := map[string]layer{}
	last := time.Time{}
	for dec := json.NewDecoder(stream); ; {
		var m message
		if err := dec.Decode(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if m.Error != nil {
			return &saidInStream{m.Error.Message}
		}
		if progress == nil || m.Status != "Downloading" {
			continue
		}
		layers[m.ID] = layer{m.Detail.Current, m.Detail.Total}
		if time.Since(last) < 100*time.Millisecond {
			continue
		}
		last = time.Now()
		var sum layer
		for _, l := range layers {
			sum.done, sum.total = sum.done+l.done, sum.total+l.total
		}
		progress(sum.done, sum.total)
	}
}

// Export streams an image. The stream has no bound but its context: how long it takes is up to who reads it.
func (e *Engine) Export(ctx context.Context, imageID string) (io.ReadCloser, error) {
	// 20.10 answers 500 to an image that it does not have, so it is looked for first.
	found, err := e.image(ctx, imageID)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, &providers.Error{Op: "export", Object: imageID, Class: providers.ErrImageNotFound}
	}
	stream, err := e.api.ImageSave(ctx, []string{imageID})
	if errdefs.IsNotFound(err) {
		return nil, &providers.Error{Op: "export", Object: imageID, Class: providers.ErrImageNotFound, Err: trim(err)}
	}
	return stream, looked("export", imageID, err)
}

// Import loads an image and leaves it under its reference. An engine that keeps images by another rule (containerd's
// store names them by manifest, the classic one by configuration) reports another id than the one exported: then the
// image is not the one that was asked for, and says so.
func (e *Engine) Import(ctx context.Context, r io.Reader, want fleet.Image) error {
	ctx, cancel := bounded(ctx, imageTimeout)
	defer cancel()
	answer, err := e.api.ImageLoad(ctx, r, client.ImageLoadWithQuiet(true))
	if err != nil {
		return changed("import", want.Ref, err)
	}
	defer answer.Body.Close()
	if err := follow(answer.Body, nil); err != nil {
		var said *saidInStream
		if errors.As(err, &said) {
			return &providers.Error{Op: "import", Object: want.Ref, Class: classOfSaid(said), Err: trim(err)}
		}
		return changed("import", want.Ref, err)
	}
	got, err := e.image(ctx, want.ID)
	if err != nil {
		return err
	}
	if got == nil {
		return &providers.Error{Op: "import", Object: want.Ref, Class: providers.ErrImageNotFound,
			Err: fmt.Errorf("the engine took the image and does not have it under %s: its image store names images by another rule", want.ID)}
	}
	return e.tag(ctx, want.ID, want.Ref)
}

func classOfSaid(s *saidInStream) error {
	if strings.Contains(s.text, "no space left on device") {
		return providers.ErrNoSpace
	}
	return providers.ErrInvalid
}
