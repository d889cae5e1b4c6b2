// Package registry asks image registries which digest a reference has, with the credentials that the user has for
// them: ~/.docker/config.json and the credential helpers that it names.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/stowage-run/stowage/providers"
)

// DefaultTimeout bounds one question, redirects and token requests included. A registry that takes longer is one that
// a plan should not wait for; pulls have their own bounds.
const DefaultTimeout = 10 * time.Second

// Config says how registries are asked. The zero value is what the docker command would do.
type Config struct {
	Keychain authn.Keychain    // nil: authn.DefaultKeychain, the user's docker configuration
	Timeout  time.Duration     // 0: DefaultTimeout
	HTTP     http.RoundTripper // nil: the library's default transport
}

// Registry is a providers.Registry. It is safe for concurrent use.
type Registry struct{ cfg Config }

// New returns a Registry. It reads and connects nothing yet.
func New(c Config) *Registry {
	if c.Keychain == nil {
		c.Keychain = authn.DefaultKeychain
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.HTTP == nil {
		c.HTTP = remote.DefaultTransport
	}
	return &Registry{c}
}

// Digest asks which digest a reference has now: of the index where there is one, so that hosts of every architecture
// pull by the same. Plain HTTP is used for registries on the loopback interface only.
func (r *Registry) Digest(ctx context.Context, ref string) (string, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return "", &providers.Error{Op: "ask for the digest of", Object: ref, Class: providers.ErrInvalid, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	// One try: the caller's plan is made again sooner than a registry recovers.
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(r.cfg.Keychain), remote.WithTransport(r.cfg.HTTP),
		remote.WithRetryPredicate(func(error) bool { return false }), remote.WithRetryStatusCodes()}
	d, err := remote.Head(parsed, options...)
	if err == nil {
		return d.Digest.String(), nil
	}
	// Some registries refuse HEAD, or answer it without a digest; those that do not have the image answer GET alike.
	full, getErr := remote.Get(parsed, options...)
	if getErr == nil {
		return full.Digest.String(), nil
	}
	return "", classify(ref, parsed.Context().RegistryStr(), getErr)
}

// classify tells "does not have it" from "does not answer".
func classify(ref, host string, err error) error {
	e := &providers.Error{Op: "ask for the digest of", Object: ref, Class: providers.ErrRegistry}
	var status *transport.Error
	var network net.Error
	switch {
	case errors.As(err, &status):
		e.Err = fmt.Errorf("%s answered %d %s", host, status.StatusCode, http.StatusText(status.StatusCode))
		if status.StatusCode == http.StatusNotFound {
			e.Class = providers.ErrImageNotFound
		}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		e.Err = fmt.Errorf("%s did not answer in time", host)
	default:
		e.Err = err
	}
	return e
}

// Auth returns the user's credentials for a reference's registry; nil: none.
func (r *Registry) Auth(ctx context.Context, ref string) (*providers.Auth, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, &providers.Error{Op: "find the credentials for", Object: ref, Class: providers.ErrInvalid, Err: err}
	}
	found, err := authn.Resolve(ctx, r.cfg.Keychain, parsed.Context())
	if err != nil {
		return nil, &providers.Error{Op: "find the credentials for", Object: ref, Class: providers.ErrRegistry, Err: err}
	}
	if found == authn.Anonymous {
		return nil, nil
	}
	c, err := authn.Authorization(ctx, found)
	if err != nil {
		return nil, &providers.Error{Op: "find the credentials for", Object: ref, Class: providers.ErrRegistry, Err: err}
	}
	a := &providers.Auth{Username: c.Username, Password: c.Password, IdentityToken: c.IdentityToken, Registry: parsed.Context().RegistryStr()}
	if *a == (providers.Auth{Registry: a.Registry}) {
		return nil, nil
	}
	return a, nil
}
