package providers

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// Engine is the container engine of one host.
//
// All methods may be called at once from several goroutines. None is retried inside: the caller
// decides. Every call ends soon after its context does, and no later than a bound of its own where
// the context has none.
//
// A mutation ends in one of three ways. Nil: it took effect, or things were already so. An error that
// is ErrUnknown: the connection broke, or time ran out, after the request may have been sent; only looking
// (Observe, Inspect) tells whether it took effect. Any other error: it took no effect. Every mutation may be
// repeated; "already so" is success: starting what runs, stopping what is stopped, removing what is gone.
//
// Containers are named by the engine's own id, which the caller has from an observation that showed
// our fleet's label: labels never change, so an id cannot lead to a stranger's container. Names are
// used to create, and for volumes and networks, whose labels are read again before they are removed.
//
// Errors are *Error with the class in it; see errors.go for the classes.
type Engine interface {
	// Observe looks at everything in one call. It is all or nothing: a list that is cut off or that does not
	// make sense is an error, never a shorter observation.
	Observe(ctx context.Context, q Query) (*fleet.Observation, error)

	// Inspect looks at one container, by id. ErrNotFound: there is none. The container need not be of our
	// fleet: its Identity is zero then.
	Inspect(ctx context.Context, id string) (fleet.Container, error)

	// FindName returns the container of exactly this name, ours or not. ErrNotFound: there is none.
	FindName(ctx context.Context, name string) (fleet.Container, error)

	// Pull fetches an image by digest and leaves it under its reference too. ErrImageNotFound, ErrRegistry.
	Pull(ctx context.Context, r PullRequest) error

	// Export streams an image, by id, in `docker save` form. The caller closes the stream.
	Export(ctx context.Context, imageID string) (io.ReadCloser, error)

	// Import reads a stream made by Export and leaves the image under ref. It is done only when the engine
	// has the image whose id is want.ID under want.Ref.
	Import(ctx context.Context, r io.Reader, want fleet.Image) error

	// CreateNetwork makes a network. One of the same name and labels is success; one with other labels is ErrNameTaken.
	CreateNetwork(ctx context.Context, n NetworkRequest) error

	// RemoveNetwork removes a network that carries the fleet's label. ErrNotOurs where it does not;
	// ErrInUse while containers are on it.
	RemoveNetwork(ctx context.Context, f fleet.ID, name string) error

	// CreateVolume makes a volume. One of the same name is adopted where it carries our fleet's label; else ErrNameTaken.
	CreateVolume(ctx context.Context, v VolumeRequest) error

	// RemoveVolume destroys a volume that carries the fleet's label, and its data. ErrNotOurs where it does not; ErrInUse.
	RemoveVolume(ctx context.Context, f fleet.ID, name string) error

	// Create makes a container, with its files in it, and does not start it. It returns the engine's id.
	// Where a container of that name exists: it is returned if fleet, replica, generation and revision in its labels
	// are those asked for (its files are written again); else ErrNameTaken. ErrImageNotFound where the image is missing: Create never pulls.
	Create(ctx context.Context, c CreateRequest) (id string, err error)

	// Start starts a created or stopped container. ErrPortTaken names the port in its text. ErrNotFound.
	Start(ctx context.Context, id string) error

	// Stop sends the signal, waits up to timeout, kills. The call lasts as long as that takes.
	// An empty signal is the container's own. Already stopped, or gone, is success.
	Stop(ctx context.Context, id string, signal string, timeout time.Duration) error

	// Remove removes a container, running or not, and its anonymous volumes. Gone is success.
	Remove(ctx context.Context, id string) error

	// Unpause lets a paused container go on. ErrNotFound.
	Unpause(ctx context.Context, id string) error

	// Rename gives a container of ours its own name back. ErrNameTaken.
	Rename(ctx context.Context, id, name string) error

	// Connect attaches a container to a network under aliases; Disconnect takes it off. Already so is success.
	Connect(ctx context.Context, id, network string, aliases []string) error
	Disconnect(ctx context.Context, id, network string) error

	// Update changes the limits and the restart policy of a container, running or not, in place. ErrNotFound.
	Update(ctx context.Context, id string, l fleet.Limits, r fleet.Restart) error

	// WriteFiles puts files into a container, running or not, replacing what is there. ErrNotFound.
	WriteFiles(ctx context.Context, id string, files []fleet.File, v fleet.Vault) error

	// Signal sends a signal ("HUP" or "SIGHUP") to a container's first process. ErrNotRunning, ErrNotFound.
	Signal(ctx context.Context, id, signal string) error

	// Logs streams a container's output until it ends, or the context does when following. Each line is handed to
	// emit in order, from one goroutine; an error of emit ends the stream and is returned. ErrNotFound.
	Logs(ctx context.Context, id string, o LogOptions, emit func(LogLine) error) error

	// Events streams what happens to a fleet's containers, until ctx ends, emit returns an error (which is returned as it is), or
	// the stream is lost. It never ends with nil. Events come in the engine's order, from one goroutine, beginning with exactly
	// one EventGap or EventResumed, which comes once the engine listens: what happens after it is told.
	//
	// The same event may come again, above all after a stream was resumed. With q.Since the cursor of an event, the stream
	// tells of all that came after that one, unless it begins with a gap. It does so whenever the engine cannot prove that its
	// memory reaches back to the cursor: without one, with one of another engine, when the engine was started anew, when too
	// much happened meanwhile (Docker keeps 256 events, those of strangers and of its own health checks among them), or when
	// the host's clock was set back. A gap also comes later, where emit is so slow that more waits for it than is kept: it
	// should only take note.
	//
	// What cannot be known: whether an engine drops events of a stream that stands (Docker does, where a reader that lags
	// leaves 1024 of them waiting for 100 ms). Changes to networks, volumes and images are not told, since engines do not say
	// whose they are. So a host has to be looked at as a whole from time to time however well its stream goes.
	//
	// ErrUnreachable: the stream was lost: the host within 15 seconds, an engine that ended at once. ErrSilent: the engine was
	// asked after a silence of q.Silence and did not answer within ten seconds. Nothing is retried here.
	Events(ctx context.Context, q EventQuery, emit func(fleet.Event) error) error

	// Exec runs a command in a running container and returns its exit status. ErrNotRunning, ErrNotFound.
	// A status is returned only with a nil error.
	Exec(ctx context.Context, id string, x ExecRequest) (status int, err error)

	// Dial opens a stream to a TCP port of a running container, as its host reaches it: at the container's own address, or
	// at 127.0.0.1 where it shares the host's network. The port need not be published. Where the container has several
	// addresses, the first that accepts is taken. ctx bounds the opening only. The stream lives until it is closed, the
	// container ends, or the connection to the host does; it need not support deadlines: cancel by closing it. Cut by the
	// loss of the connection to the host it ends with an error that is ErrUnreachable, and never with io.EOF.
	//
	// ErrNotFound; ErrNotRunning, where it is paused too; ErrRefused where the host was asked and nothing accepts there, or
	// the container has no network; ErrUnreachable where the host, its engine or its forwarding stood in the way, or time
	// ran out: the context's error is in the chain then.
	Dial(ctx context.Context, id string, port uint16) (net.Conn, error)

	// Close gives the connection back. Calls under way end with an error. It may be called twice.
	Close() error
}

// Query says what Observe should look for.
type Query struct {
	Fleet  fleet.ID
	Images []string // references to look up; those that are not there are left out of the answer
}

// EventQuery says which events to stream.
type EventQuery struct {
	Fleet fleet.ID // what happens to containers of others is not told
	Since string   // the Cursor of the last event that was dealt with; empty: from now on
	// Silence is how long nothing may come before the engine is asked whether it still answers. 0: DefaultSilence.
	Silence time.Duration
}

// DefaultSilence lets an engine that hangs be found in half a minute, at three small requests a minute for a host on which
// nothing happens. Over SSH each costs 400 bytes on the wire and 0.4 ms of this process's time, beside the 5 KB a minute of the
// connection's own keepalives.
const DefaultSilence = 20 * time.Second

// PullRequest asks for one image.
type PullRequest struct {
	Image fleet.Image // Ref, and Digest where it is pinned to one
	Auth  *Auth       // nil: anonymous
	// Progress, where not nil, is told how many bytes have come of how many (0: not known). It must not block.
	Progress func(done, total int64)
}

// Auth is a registry's credentials. It is never encoded or printed.
type Auth struct {
	Username, Password string
	IdentityToken      string
	Registry           string // server address
}

// NetworkRequest asks for one network.
type NetworkRequest struct {
	Name   string
	Driver string
	Labels map[string]string
}

// VolumeRequest asks for one volume.
type VolumeRequest struct {
	Name    string
	Driver  string
	Options map[string]string
	Labels  map[string]string
}

// CreateRequest asks for one container.
type CreateRequest struct {
	Instance fleet.Instance
	Spec     fleet.Spec // Spec.Image.ID, where set, is the id on this very host
	Op       fleet.OpID
	Vault    fleet.Vault // holds every sealed text of Spec; a missing one is ErrSecret
}

// LogOptions says which lines to stream.
type LogOptions struct {
	Follow bool
	Tail   int       // last n lines; negative: all
	Since  time.Time // zero: from the beginning
}

// LogLine is one line of output, without its newline. It is untrusted text.
type LogLine struct {
	Time   time.Time
	Stderr bool
	Text   string
}

// ExecRequest is one command in a container.
type ExecRequest struct {
	Command []string
	TTY     bool
	Stdin   io.Reader // nil: none
	Stdout  io.Writer
	Stderr  io.Writer    // with TTY all output goes to Stdout
	Size    TerminalSize // with TTY, the terminal's size at the start; zero: not known
	// Resize, with TTY, carries the terminal's sizes; the caller closes it.
	Resize <-chan TerminalSize
}

// TerminalSize is a terminal's size in characters.
type TerminalSize struct{ Rows, Columns uint }
