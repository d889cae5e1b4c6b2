package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/plan"
)

// jsonStream writes one object a line with Terraform's keys: @level, @message, @module, @timestamp, type, hook.
type jsonStream struct {
	enc *json.Encoder
	now func() time.Time
	err error // the first; nothing is written after it
}

func newJSONStream(w io.Writer, now func() time.Time) *jsonStream {
	return &jsonStream{enc: json.NewEncoder(w), now: now}
}

// write writes one object.
func (j *jsonStream) write(level, kind, message string, more map[string]any) {
	if j.err != nil {
		return
	}
	m := map[string]any{"@level": level, "@message": message, "@module": "stowage", "@timestamp": j.now().UTC().Format(time.RFC3339Nano), "type": kind}
	for k, v := range more {
		m[k] = v
	}
	j.err = j.enc.Encode(m)
}

// plan writes a plan: the version, each change and drift, the summary.
func (j *jsonStream) plan(p *plan.Plan) error {
	j.write("info", "version", "Stowage "+version(), map[string]any{"stowage": version(), "ui": "1.0"})
	for _, d := range p.Drift {
		j.write("info", "resource_drift", fmt.Sprintf("%s: drift detected (%s)", d.Addr, d.What),
			map[string]any{"change": map[string]any{"resource": resource(string(d.Addr), string(d.Host)), "action": "update", "what": d.What}})
	}
	for _, c := range p.JSONChanges() {
		j.write("info", "planned_change", fmt.Sprintf("%s: plan to %s", c.Address, c.Action), map[string]any{"change": map[string]any{
			"resource": resource(c.Address, string(c.Host)), "action": c.Action, "reason": c.Reason, "previous_host": c.From, "detail": c.Change}})
	}
	for _, o := range p.Overrides {
		j.write("warn", "override", plan.OverrideText(o, p.Created), map[string]any{"override": o})
	}
	for _, o := range p.Ended {
		j.write("info", "override_ended", fmt.Sprintf("workload.%s: its override no longer counts: %s", o.Workload, o.Why), map[string]any{"override": o})
	}
	for _, s := range p.Skipped {
		j.write("warn", "unknown_host", fmt.Sprintf("host.%s could not be asked", s.Host), map[string]any{"host": s.Host, "why": s.Why, "owed": s.Owed})
	}
	j.summary("plan", p.Counts())
	return j.err
}

func resource(addr, host string) map[string]any { return map[string]any{"addr": addr, "host": host} }

func (j *jsonStream) summary(operation string, n plan.Counts) {
	j.write("info", "change_summary", fmt.Sprintf("%s: %d to add, %d to change, %d to destroy", operation, n.Add, n.Change, n.Destroy),
		map[string]any{"changes": map[string]any{"operation": operation, "add": n.Add, "change": n.Change, "remove": n.Destroy,
			"replace": n.Replace, "move": n.Move, "adopt": n.Adopt, "forget": n.Forget}})
}

// event writes one event of an apply.
func (j *jsonStream) event(e apply.Event) {
	kind := map[apply.EventKind]string{apply.EventStarted: "apply_start", apply.EventProgress: "apply_progress", apply.EventStill: "apply_progress",
		apply.EventRetry: "apply_progress", apply.EventDone: "apply_complete", apply.EventFailed: "apply_errored",
		apply.EventUnknown: "apply_errored", apply.EventSkipped: "apply_skipped", apply.EventOutput: "apply_output"}[e.Kind]
	hook := map[string]any{"resource": resource(string(e.Addr), string(e.Host)), "action": e.Action, "step": e.Step, "elapsed_seconds": e.Elapsed.Seconds()}
	level := "info"
	if e.Err != nil {
		level, hook["error"] = "error", e.Err.Error()
	}
	if e.ID != "" {
		hook["id_key"], hook["id_value"] = "id", e.ID
	}
	if e.Kind == apply.EventOutput {
		hook["text"] = e.Text
	}
	if e.Because != "" {
		hook["because"] = e.Because
	}
	j.write(level, kind, fmt.Sprintf("%s: %s %s", e.Addr, e.Action, e.Kind), map[string]any{"hook": hook})
}

// report writes how an apply ended.
func (j *jsonStream) report(r *apply.Report) error {
	j.summary("apply", r.Done)
	for _, d := range r.Debts {
		j.write("warn", "debt", fmt.Sprintf("host.%s is owed %d steps", d.Host, len(d.Steps)+d.More), map[string]any{"debt": d})
	}
	j.write("info", "apply_result", "Apply "+string(r.Result), map[string]any{"result": r.Result, "release": r.Release, "seconds": r.Duration.Seconds()})
	return j.err
}
