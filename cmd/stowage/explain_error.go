package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// explainError turns any error into messages for people, and an exit status. It is the one place where errors of the world
// get their codes and remedies.
func (a *app) explainError(err error) (diag.List, int) {
	var silent *reconcile.UnreachableError
	if errors.As(err, &silent) && len(silent.Hosts) > 0 {
		return a.aboutSilent(&silence{errs: silent.Hosts}), exitError
	}
	if list, ok := diag.From(err); ok {
		return list, exitError
	}
	if errors.Is(err, state.ErrLocked) {
		return diag.List{lockedDiagnostic(err)}, exitLocked
	}
	d := errorDiagnostic(err)
	var re *remote.Error
	if errors.As(err, &re) {
		a.point(&d, fleet.HostName(re.Host))
	}
	return diag.List{d}, exitError
}

// silence is which hosts did not answer, and of how many; 0: not known.
type silence struct {
	errs  map[fleet.HostName]error
	hosts int
}

// aboutSilent says what is the matter with each host that did not answer.
func (a *app) aboutSilent(q *silence) (list diag.List) {
	affected := fmt.Sprintf("%d hosts affected; nothing was changed.", len(q.errs))
	if q.hosts > 0 {
		affected = fmt.Sprintf("%d of %d hosts affected; nothing was changed.", len(q.errs), q.hosts)
	}
	for _, h := range sortedKeys(q.errs) {
		d := errorDiagnostic(q.errs[h])
		a.point(&d, h)
		d.Affected = affected
		list = append(list, d)
	}
	return list
}

// point adds where a host is declared.
func (a *app) point(d *diag.Diagnostic, h fleet.HostName) {
	if r, ok := a.ranges[fleet.HostAddr(h)]; ok && d.Subject == nil {
		d.Subject, d.In = &r, fmt.Sprintf("host %q", h)
	}
}

// errorDiagnostic is the message for one error of the world.
func errorDiagnostic(err error) diag.Diagnostic {
	if list, ok := diag.From(err); ok && len(list) > 0 {
		return list[0]
	}
	var re *remote.Error
	if errors.As(err, &re) {
		return remoteDiagnostic(re)
	}
	var de *state.DamagedError
	if errors.As(err, &de) {
		return damagedDiagnostic(de)
	}
	d := diag.Diagnostic{Code: diag.CodeInternal, Summary: "Something went wrong", Detail: capital(err.Error()) + "."}
	for _, known := range []struct {
		is      error
		code    diag.Code
		summary string
		remedy  string
	}{
		{state.ErrNewer, diag.CodeStateNewer, "The state was written by a newer version of Stowage", "stowage version"},
		{state.ErrFull, diag.CodeStateWrite, "No space is left for the state", "Free space where the state is, then: stowage apply"},
		{state.ErrReadOnly, diag.CodeStateWrite, "The state cannot be written", ""},
		{state.ErrNoRecord, diag.CodeStateMissing, "Nothing of that name is recorded", "stowage show"},
		{state.ErrFenced, diag.CodeLocked, "The lock was taken over by somebody else", "stowage status"},
		{state.ErrNotLocked, diag.CodeLocked, "Nobody holds that lock", "stowage status"},
		{plan.ErrForeign, diag.CodeForeignPlan, "The plan is of another fleet", "stowage plan -out=FILE"},
		{plan.ErrDamaged, diag.CodeDamagedPlan, "The plan file is damaged", "stowage plan -out=FILE"},
		{plan.ErrNewer, diag.CodeDamagedPlan, "The plan file was written by another version of Stowage", "stowage plan -out=FILE"},
		{providers.ErrNameTaken, diag.CodeNameTaken, "The container's name is taken", ""},
		{providers.ErrPortTaken, diag.CodePortTaken, "The port is taken", "ss -ltnp    on the host, to see by what; an automatic port is chosen anew by: stowage apply"},
		{providers.ErrNoSpace, diag.CodeNoSpace, "The host's disk is full", "docker system df    on the host"},
		{providers.ErrImageNotFound, diag.CodeImageNotFound, "Image not found", ""},
		{providers.ErrRegistry, diag.CodeRegistry, "The registry refused, or did not answer", "docker login REGISTRY"},
		{providers.ErrSilent, diag.CodeEngineSick, "The engine does not answer", "systemctl status docker    on the host; its log: journalctl -u docker"},
		{providers.ErrUnreachable, diag.CodeUnreachable, "A host does not answer", "stowage status"},
		{context.DeadlineExceeded, diag.CodeEngineSick, "It took too long", ""},
		{context.Canceled, diag.CodeInterrupted, "Interrupted", ""},
	} {
		if errors.Is(err, known.is) {
			d.Code, d.Summary, d.Remedy = known.code, known.summary, known.remedy
			return d
		}
	}
	var pe *providers.Error
	if errors.As(err, &pe) {
		d.Code, d.Summary = diag.CodeEngine, "The engine refused"
	}
	return d
}

// damagedDiagnostic is the message for a damaged state.
func damagedDiagnostic(de *state.DamagedError) diag.Diagnostic {
	d := diag.Diagnostic{Code: diag.CodeStateDamaged, Summary: "The state is damaged", Detail: de.Path + ":\n" + capital(de.What) + ".",
		Remedy: strings.Join(de.Try, "\n")}
	if d.Remedy == "" {
		d.Remedy = "stowage state rebuild"
	}
	return d
}

// remoteDiagnostic is the message for a host that cannot be reached.
func remoteDiagnostic(re *remote.Error) diag.Diagnostic {
	d := diag.Diagnostic{Code: diag.CodeSSH, Summary: capital(re.Summary()), Detail: strings.Join(remoteFacts(re), "\n"),
		Remedy: strings.Join(re.Try, "\n")}
	for _, known := range []struct {
		is   error
		code diag.Code
	}{
		{remote.ErrHostKeyChanged, diag.CodeHostKeyChanged}, {remote.ErrHostKeyUnknown, diag.CodeHostKeyUnknown},
		{remote.ErrAuth, diag.CodeAuth}, {remote.ErrForwardingRefused, diag.CodeForwarding},
		{remote.ErrSocketMissing, diag.CodeSocket}, {remote.ErrSocketDenied, diag.CodeSocket}, {remote.ErrUnreachable, diag.CodeUnreachable},
	} {
		if errors.Is(re, known.is) {
			d.Code = known.code
			break
		}
	}
	return d
}

// remoteFacts is what was observed, the cause first.
func remoteFacts(re *remote.Error) []string {
	cause := re.Detail
	if cause == "" && re.Err != nil {
		cause = re.Err.Error()
	}
	if cause == "" {
		return re.Facts()
	}
	return append([]string{capital(cause) + "."}, re.Facts()...)
}

// lockedDiagnostic names who holds the lock.
func lockedDiagnostic(err error) diag.Diagnostic {
	d := diag.Diagnostic{Code: diag.CodeLocked, Summary: "The state is locked", Detail: capital(err.Error()) + ".", Affected: "Nothing was changed."}
	var le *state.LockedError
	if errors.As(err, &le) {
		h := le.Holder
		d.Detail = fmt.Sprintf("Lock Info:\n  ID:        %s\n  Who:       %s (pid %d)\n  Operation: %s\n  Since:     %s\n  Version:   %s",
			h.ID, h.Who, h.PID, h.Operation, h.Since.Format(time.RFC3339), h.Version)
		d.Remedy = fmt.Sprintf("stowage apply -lock-timeout=60s    to wait for it\nstowage force-unlock %s    when you know that it is not in use", h.ID)
	}
	return d
}
