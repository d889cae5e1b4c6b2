package providers

import (
	"context"

	"github.com/stowage-run/stowage/fleet"
)

// Connector reaches the engines of hosts. It is safe for concurrent use.
type Connector interface {
	// Engine returns the engine of a host, connecting where there is no live connection. Calls for one host
	// share one connection. A lost connection is found and made anew by the next call.
	// An error is ErrUnreachable or more exact (package remote's), and nothing was changed on the host.
	Engine(ctx context.Context, h fleet.Host) (Engine, error)
}

// Registry answers for images. It is safe for concurrent use.
type Registry interface {
	// Digest asks which digest a reference has now. ErrImageNotFound: the registry does not have it.
	// ErrRegistry: it refuses or does not answer.
	Digest(ctx context.Context, ref string) (digest string, err error)

	// Auth returns the user's credentials for a reference's registry; nil: none.
	Auth(ctx context.Context, ref string) (*Auth, error)
}
