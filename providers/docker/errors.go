package docker

import (
	"context"
	"errors"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/remote"
)

// maxMessage bounds what is kept of an engine's words.
const maxMessage = 4 << 10

// unreachable is the error of a call that was never sent.
func unreachable(op, object string, err error) error {
	return &providers.Error{Op: op, Object: object, Class: providers.ErrUnreachable, Err: err}
}

// looked is the error of a call that changes nothing.
func looked(op, object string, err error) error {
	if err == nil {
		return nil
	}
	class := classOf(err)
	if class == nil && notAnswered(err) {
		class = providers.ErrUnreachable
	}
	return &providers.Error{Op: op, Object: object, Class: class, Err: trim(err)}
}

// changed is the error of a call that may have changed something. What the engine itself answered with a client's mistake
// (4xx) took no effect. A 5xx is an answer too, of an engine that gave up somewhere in the middle: start and create clean up
// behind themselves, but nothing promises it. So only the 5xx whose cause is recognised counts as "no effect"; the rest is unknown.
func changed(op, object string, err error) error {
	if err == nil {
		return nil
	}
	class := classOf(err)
	switch {
	case class != nil:
	case neverSent(err):
		class = providers.ErrUnreachable
	case notAnswered(err), errdefs.IsInternal(err), errdefs.IsUnavailable(err), errdefs.IsUnknown(err):
		class = providers.ErrUnknown
	}
	return &providers.Error{Op: op, Object: object, Class: class, Err: trim(err)}
}

// classOf reads the class out of an engine's answer; nil: it says none.
func classOf(err error) error {
	if class := classOfText(err); class != nil {
		return class
	}
	switch {
	case errdefs.IsNotFound(err):
		return providers.ErrNotFound
	case errdefs.IsInvalidArgument(err):
		return providers.ErrInvalid
	}
	return nil
}

// classOfText recognises what Docker 20.10 to 28 report as a 500 with nothing but words: a taken port, a full disk, a bind
// mount without its source, and a signal for a container that does not run (409 since 20.10, with the same status as a taken
// name). The words have not changed since Docker 1.10 and are the engine's only sign. This is the one place that reads them.
func classOfText(err error) error {
	if notAnswered(err) {
		return nil
	}
	return classOfWords(err.Error())
}

// classOfWords is the list of those words. A container that could not start keeps them as its reason.
func classOfWords(s string) error {
	for _, known := range []struct {
		words string
		class error
	}{
		{"port is already allocated", providers.ErrPortTaken},
		{"address already in use", providers.ErrPortTaken},
		{"no space left on device", providers.ErrNoSpace},
		{"bind source path does not exist", providers.ErrInvalid},
		{"is not running", providers.ErrNotRunning},
		{"No such image", providers.ErrImageNotFound},
		{"has active endpoints", providers.ErrInUse},
		{"volume is in use", providers.ErrInUse},
	} {
		if strings.Contains(s, known.words) {
			return known.class
		}
	}
	return nil
}

// notAnswered reports whether a call ended without the engine's answer.
func notAnswered(err error) bool {
	var re *remote.Error
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &re) ||
		client.IsErrConnectionFailed(err) || !answered(err)
}

// dialError marks an error of opening a stream. A stream that breaks later ends with a *remote.Error as well,
// and then the engine may have done what it was asked.
type dialError struct{ error }

func (d *dialError) Unwrap() error { return d.error }

// neverSent reports whether no stream to the engine could be opened, so that nothing was sent.
func neverSent(err error) bool {
	var d *dialError
	return errors.As(err, &d)
}

// answered reports whether the error carries the class that the client gives to every HTTP answer.
func answered(err error) bool {
	for _, is := range []func(error) bool{errdefs.IsNotFound, errdefs.IsInvalidArgument, errdefs.IsConflict, errdefs.IsUnauthorized,
		errdefs.IsUnavailable, errdefs.IsPermissionDenied, errdefs.IsInternal, errdefs.IsNotModified, errdefs.IsNotImplemented, errdefs.IsUnknown} {
		if is(err) {
			return true
		}
	}
	return false
}

// trimmed is an error whose words were too many.
type trimmed struct {
	error
	text string
}

func (t *trimmed) Error() string { return t.text }
func (t *trimmed) Unwrap() error { return t.error }

func trim(err error) error {
	if s := err.Error(); len(s) > maxMessage {
		return &trimmed{err, s[:maxMessage] + "..."}
	}
	return err
}
