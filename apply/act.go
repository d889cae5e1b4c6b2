package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
)

const (
	logLines = 10              // of a container that did not stay up
	logWait  = 2 * time.Second // for them

	progressEvery = 100 * time.Millisecond
)

// act makes a step's calls once. id is the container that a Run made, also where the error is not nil.
func (r *run) act(ctx context.Context, s *plan.Step, op fleet.OpID) (id string, err error) {
	e, err := r.engine(ctx, s.Host)
	if err != nil {
		return "", err
	}
	switch s.Kind {
	case plan.KindRun:
		return r.runContainer(ctx, e, s, op)
	case plan.KindStart:
		if err := e.Start(ctx, s.Container.ID); err != nil {
			return "", err
		}
		return "", r.staysUp(ctx, e, s, s.Container.ID)
	case plan.KindPull:
		return "", r.pull(ctx, e, s)
	case plan.KindSend:
		return "", r.send(ctx, e, s)
	case plan.KindWriteFiles:
		return "", e.WriteFiles(ctx, s.Container.ID, r.files(s), r.job.Vault)
	default:
		return "", r.simple(ctx, e, s)
	}
}

// simple makes the one call of a step that is one call.
func (r *run) simple(ctx context.Context, e providers.Engine, s *plan.Step) error {
	p := r.job.Plan
	switch s.Kind {
	case plan.KindCreateNetwork:
		return e.CreateNetwork(ctx, providers.NetworkRequest{
			Name: s.Network.Engine, Driver: s.Network.Driver,
			Labels: fleet.ObjectLabels(p.Fleet, fleet.NetworkAddr(s.Network.Name)),
		})
	case plan.KindRemoveNetwork:
		return e.RemoveNetwork(ctx, p.Fleet, s.Network.Engine)
	case plan.KindCreateVolume:
		v := s.Volume.Declared
		return e.CreateVolume(ctx, providers.VolumeRequest{
			Name: s.Volume.Engine, Driver: v.Driver, Options: v.Options,
			Labels: fleet.ObjectLabels(p.Fleet, fleet.VolumeAddr(v.Name)),
		})
	case plan.KindRemoveVolume:
		return e.RemoveVolume(ctx, p.Fleet, s.Volume.Engine)
	case plan.KindStop:
		return e.Stop(ctx, s.Container.ID, s.Signal, s.Timeout)
	case plan.KindRemove:
		return e.Remove(ctx, s.Container.ID)
	case plan.KindUnpause:
		return e.Unpause(ctx, s.Container.ID)
	case plan.KindRename:
		return e.Rename(ctx, s.Container.ID, s.Container.Name)
	case plan.KindConnect:
		return e.Connect(ctx, s.Container.ID, s.Network.Engine, s.Network.Aliases)
	case plan.KindDisconnect:
		return e.Disconnect(ctx, s.Container.ID, s.Network.Engine)
	case plan.KindUpdate:
		return e.Update(ctx, s.Container.ID, *s.Limits, s.Restart)
	case plan.KindSignal:
		return e.Signal(ctx, s.Container.ID, s.Signal)
	}
	return fmt.Errorf("step %d: %q is not something that can be done", s.ID, s.Kind)
}

// runContainer creates a container, starts it and looks once whether it stays up.
func (r *run) runContainer(ctx context.Context, e providers.Engine, s *plan.Step, op fleet.OpID) (string, error) {
	spec := r.job.Plan.Specs[s.Instance.Revision]
	if s.Image != nil {
		spec.Image = *s.Image // as this host knows it
	}
	id, err := e.Create(ctx, providers.CreateRequest{Instance: *s.Instance, Spec: spec, Op: op, Vault: r.job.Vault})
	if err != nil {
		return "", err
	}
	if err := e.Start(ctx, id); err != nil {
		return id, err
	}
	if s.Ends {
		return id, nil
	}
	return id, r.staysUp(ctx, e, s, id)
}

// staysUp looks at a container that was just started. One look is enough to see a wrong command or a missing
// library; what takes longer to fail is for health checks, and waiting for it here would make every apply slow.
//
// A look that gives no answer is not held against the container: that it was started is known.
func (r *run) staysUp(ctx context.Context, e providers.Engine, s *plan.Step, id string) error {
	c, err := e.Inspect(ctx, id)
	if err != nil {
		if errors.Is(err, providers.ErrNotFound) {
			return err
		}
		return nil
	}
	switch c.Phase {
	case fleet.PhaseExited, fleet.PhaseRestarting, fleet.PhaseDead:
	default:
		r.mu.Lock()
		r.plain[s.ID] = c.Phase == fleet.PhaseRunning && c.Health == ""
		r.mu.Unlock()
		return nil
	}
	if c.Phase == fleet.PhaseExited && c.ExitCode == 0 && c.Restart != fleet.RestartAlways {
		return nil // it had nothing more to do, and is not to be started again
	}
	return &NotRunningError{
		Container: c.Name, ExitCode: c.ExitCode, OOMKilled: c.OOMKilled, Reason: c.Error,
		Logs: r.lastLines(ctx, e, id),
	}
}

// lastLines is the end of a container's output, as far as it can be had quickly.
func (r *run) lastLines(ctx context.Context, e providers.Engine, id string) []string {
	ctx, cancel := context.WithTimeout(ctx, logWait)
	defer cancel()
	var lines []string
	err := e.Logs(ctx, id, providers.LogOptions{Tail: logLines}, func(l providers.LogLine) error {
		lines = append(lines, l.Text)
		return nil
	})
	if err != nil && len(lines) == 0 {
		return nil // the lines are extra: why the container does not run is known without them
	}
	return lines[max(0, len(lines)-logLines):]
}

// files are those of the step's spec that it names.
func (r *run) files(s *plan.Step) []fleet.File {
	var files []fleet.File
	for _, f := range r.job.Plan.Specs[s.Instance.Revision].Files {
		if slices.Contains(s.Files, f.Path) {
			files = append(files, f)
		}
	}
	return files
}

func (r *run) pull(ctx context.Context, e providers.Engine, s *plan.Step) error {
	req := providers.PullRequest{Image: *s.Image, Progress: r.progress(s.ID)}
	if r.job.Registry != nil {
		auth, err := r.job.Registry.Auth(ctx, s.Image.Ref)
		if err != nil {
			return fmt.Errorf("credentials for %s: %w", s.Image.Ref, err)
		}
		req.Auth = auth
	}
	return e.Pull(ctx, req)
}

// send brings an image from this machine's engine to the host, unless it is there already.
func (r *run) send(ctx context.Context, e providers.Engine, s *plan.Step) error {
	there, err := r.hasImage(ctx, e, s.Image)
	if err != nil || there {
		return err
	}
	if r.job.Local == nil {
		return fmt.Errorf("image %s is to be sent from this machine, which has no engine to take it from", s.Image.Ref)
	}
	local, err := r.job.Local(ctx)
	if err != nil {
		return fmt.Errorf("this machine's engine: %w", notRemote(err))
	}
	stream, err := local.Export(ctx, s.Image.ID)
	if err != nil {
		return fmt.Errorf("this machine's engine: %w", notRemote(err))
	}
	defer stream.Close() // only read from: an error of Close loses nothing
	return e.Import(ctx, &counter{r: stream, tell: r.progress(s.ID)}, *s.Image)
}

// hasImage reports whether the host has the image under its reference.
func (r *run) hasImage(ctx context.Context, e providers.Engine, i *fleet.Image) (bool, error) {
	o, err := e.Observe(ctx, providers.Query{Fleet: r.job.Plan.Fleet, Images: []string{i.Ref}})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(o.Images, func(seen fleet.ObservedImage) bool { return seen.Matches(*i) }), nil
}

// notRemote takes the class from an error of this machine's engine: it says nothing about the step's host.
func notRemote(err error) error {
	var e *providers.Error
	if errors.As(err, &e) && (errors.Is(err, providers.ErrUnreachable) || errors.Is(err, providers.ErrUnknown)) {
		return errors.New(err.Error())
	}
	return err
}

// progress returns a function that tells the observer how far a transfer is, not too often.
func (r *run) progress(i int) func(done, total int64) {
	var last time.Time
	return func(n, total int64) {
		if now := time.Now(); now.Sub(last) >= progressEvery {
			last = now
			r.emit(EventProgress, i, func(e *Event) { e.Bytes, e.Total = n, total })
		}
	}
}

// counter counts what is read through it.
type counter struct {
	r    io.Reader
	n    int64
	tell func(done, total int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.tell(c.n, 0)
	return n, err
}
