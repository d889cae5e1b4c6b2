package registry

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/stowage-run/stowage/providers"
)

// oneUser is a keychain with one account for every registry.
type oneUser struct{ user, password string }

func (u oneUser) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig{Username: u.user, Password: u.password}), nil
}

// serve starts a registry with the image web:1 behind a wrapper and returns its host and the image's digest.
func serve(t *testing.T, wrap func(http.Handler) http.Handler) (host, digest string) {
	t.Helper()
	inner := registry.New()
	open := httptest.NewServer(inner)
	defer open.Close()
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(strings.TrimPrefix(open.URL, "http://") + "/web:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(wrap(inner))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), d.String()
}

func asIs(h http.Handler) http.Handler { return h }

func TestDigest(t *testing.T) {
	host, want := serve(t, asIs)
	got, err := New(Config{Keychain: authn.NewMultiKeychain()}).Digest(t.Context(), host+"/web:1")
	if err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestDigestWhereHeadIsRefused(t *testing.T) {
	host, want := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	got, err := New(Config{Keychain: authn.NewMultiKeychain()}).Digest(t.Context(), host+"/web:1")
	if err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestDigestErrors(t *testing.T) {
	status := func(code int) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		}
	}
	for _, tt := range []struct {
		name, ref string
		wrap      func(http.Handler) http.Handler
		want      error
		says      string
	}{
		{"no such tag", "/web:2", asIs, providers.ErrImageNotFound, "404"},
		{"not allowed", "/web:1", status(401), providers.ErrRegistry, "401"},
		{"too many", "/web:1", status(429), providers.ErrRegistry, "429"},
		{"broken", "/web:1", status(500), providers.ErrRegistry, "500"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host, _ := serve(t, tt.wrap)
			_, err := New(Config{Keychain: authn.NewMultiKeychain()}).Digest(t.Context(), host+tt.ref)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.says)
			}
		})
	}
}

func TestDigestIsBounded(t *testing.T) {
	release := make(chan struct{})
	host, _ := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
	})
	defer close(release)
	_, err := New(Config{Keychain: authn.NewMultiKeychain(), Timeout: 100 * time.Millisecond}).Digest(t.Context(), host+"/web:1")
	if !errors.Is(err, providers.ErrRegistry) {
		t.Errorf("got %v, want ErrRegistry", err)
	}
}

func TestCredentialsAreSent(t *testing.T) {
	host, want := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if u, p, ok := r.BasicAuth(); !ok || u != "bot" || p != "pw" {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	r := New(Config{Keychain: oneUser{"bot", "pw"}})
	if got, err := r.Digest(t.Context(), host+"/web:1"); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	a, err := r.Auth(t.Context(), host+"/web:1")
	if err != nil || a == nil || a.Username != "bot" || a.Password != "pw" || a.Registry != host {
		t.Errorf("Auth = %+v, %v", a, err)
	}
	none, err := New(Config{Keychain: authn.NewMultiKeychain()}).Auth(t.Context(), host+"/web:1")
	if err != nil || none != nil {
		t.Errorf("without credentials: %+v, %v", none, err)
	}
	if _, err := New(Config{Keychain: oneUser{"bot", "wrong"}}).Digest(t.Context(), host+"/web:1"); !errors.Is(err, providers.ErrRegistry) {
		t.Errorf("with wrong credentials: %v", err)
	}
}
