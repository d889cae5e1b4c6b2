package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// jsonVersion is the version of the JSON form. It has Terraform's key names, so that what reads Terraform's
// plans reads ours; keys that Terraform does not have are additions.
const jsonVersion = "1.2"

type jsonPlan struct {
	FormatVersion  string                `json:"format_version"`
	StowageVersion string                `json:"stowage_version"`
	ID             string                `json:"plan_id"`
	Fleet          fleet.Name            `json:"fleet"`
	Mode           Mode                  `json:"mode"`
	Changes        []JSONChange          `json:"resource_changes"`
	Drift          []jsonDrift           `json:"resource_drift,omitempty"`
	Outputs        map[string]jsonOutput `json:"output_changes,omitempty"`
	Skipped        []Skipped             `json:"unknown_hosts,omitempty"`
	Loads          []fleet.Load          `json:"host_loads,omitempty"`
	Exposed        []Exposure            `json:"exposed,omitempty"`
	Rollouts       []Rollout             `json:"rollouts,omitempty"`
	Held           []Held                `json:"held,omitempty"`
	Overrides      []state.Override      `json:"overrides,omitempty"`
	Ended          []Ended               `json:"ended_overrides,omitempty"`
	Unplaced       []Unplaced            `json:"unplaced,omitempty"`
	Survival       *fleet.Survival       `json:"survival,omitempty"`
	WhatIf         []string              `json:"what_if,omitempty"`
	Counts         Counts                `json:"counts"`
	Timestamp      time.Time             `json:"timestamp"`
	Errored        bool                  `json:"errored"`
	Applyable      bool                  `json:"applyable"`
	Complete       bool                  `json:"complete"`
}

// JSONChange is one object's change in the JSON form.
type JSONChange struct {
	Address string         `json:"address"`
	Type    string         `json:"type"`
	Name    string         `json:"name"`
	Index   *int           `json:"index,omitempty"`
	Action  Action         `json:"action"` // in our words; change.actions is in Terraform's
	Host    fleet.HostName `json:"host,omitempty"`
	From    fleet.HostName `json:"previous_host,omitempty"`
	Reason  string         `json:"action_reason,omitempty"`
	Change  jsonDetail     `json:"change"`
}

type jsonDetail struct {
	Actions         []string        `json:"actions"`
	Before          json.RawMessage `json:"before"`
	After           json.RawMessage `json:"after"`
	AfterUnknown    json.RawMessage `json:"after_unknown"`
	BeforeSensitive json.RawMessage `json:"before_sensitive"`
	AfterSensitive  json.RawMessage `json:"after_sensitive"`
	ReplacePaths    [][]string      `json:"replace_paths,omitempty"`
}

type jsonDrift struct {
	Address string         `json:"address"`
	Host    fleet.HostName `json:"host"`
	What    string         `json:"what"`
	Will    string         `json:"will,omitempty"`
}

type jsonOutput struct {
	Actions         []string        `json:"actions"`
	Before          json.RawMessage `json:"before"`
	After           json.RawMessage `json:"after"`
	AfterUnknown    bool            `json:"after_unknown"`
	BeforeSensitive bool            `json:"before_sensitive"`
	AfterSensitive  bool            `json:"after_sensitive"`
}

// JSON writes the plan with Terraform's key names.
func (p *Plan) JSON() ([]byte, error) {
	out := jsonPlan{
		FormatVersion: jsonVersion, StowageVersion: p.Tool, ID: p.ID, Fleet: p.Name, Mode: p.Mode,
		Changes: p.JSONChanges(), Skipped: p.Skipped, Loads: p.Loads, Exposed: p.Exposed,
		Rollouts: withoutGood(p.Rollouts), Held: p.Held, Overrides: p.Overrides, Ended: p.Ended, Unplaced: p.Unplaced, Survival: p.Survival, WhatIf: p.WhatIf,
		Counts: p.Counts(), Timestamp: p.Created, Applyable: !p.Empty() && p.WhatIf == nil, Complete: len(p.Skipped)+len(p.Unplaced) == 0,
	}
	for _, d := range p.Drift {
		out.Drift = append(out.Drift, jsonDrift{string(d.Addr), d.Host, d.What, d.Will})
	}
	for _, o := range p.Outputs {
		if out.Outputs == nil {
			out.Outputs = map[string]jsonOutput{}
		}
		j := jsonOutput{Actions: o.Action.terraform(), Before: orNull(o.Before), After: orNull(o.After),
			AfterUnknown: o.Unknown, BeforeSensitive: o.Sensitive, AfterSensitive: o.Sensitive}
		if o.Sensitive {
			j.Before, j.After = orNull(nil), orNull(nil)
		}
		out.Outputs[o.Name] = j
	}
	return json.Marshal(out)
}

// withoutGood leaves out what a rollout would go back to: its release says it.
func withoutGood(l []Rollout) []Rollout {
	out := slices.Clone(l)
	for i := range out {
		out[i].Good = nil
	}
	return out
}

func orNull(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage("null")
	}
	return b
}

// terraform is the change's action in Terraform's words, in the order in which the parts of a replacement come.
func (c *Change) terraform() []string {
	if c.CreateFirst {
		return Move.terraform()
	}
	return c.Action.terraform()
}

// terraform is the action in Terraform's words.
func (a Action) terraform() []string {
	switch a {
	case Replace:
		return []string{"delete", "create"}
	case Move:
		return []string{"create", "delete"}
	case Restart:
		return []string{"update"}
	case Adopt:
		return []string{"no-op"}
	}
	return []string{string(a)}
}

// JSONChanges returns one entry an object, in the order of Changes. Replicas of one revision share their before and after.
func (p *Plan) JSONChanges() []JSONChange {
	cache := map[fleet.Revision][2]json.RawMessage{}
	spec := func(r fleet.Revision) (values, sensitive json.RawMessage) {
		s, ok := p.Specs[r]
		if !ok {
			return orNull(nil), json.RawMessage("{}")
		}
		if c, ok := cache[r]; ok {
			return c[0], c[1]
		}
		values, sensitive = nested(SpecAttributes(s))
		cache[r] = [2]json.RawMessage{values, sensitive}
		return values, sensitive
	}
	out := make([]JSONChange, 0, len(p.Changes))
	for i := range p.Changes {
		c := &p.Changes[i]
		j := JSONChange{Address: string(c.Addr), Type: string(c.Addr.Kind()), Name: c.Addr.Name(),
			Action: c.Action, Host: c.Host, From: c.From, Reason: c.Reason}
		if r, ok := c.Addr.Replica(); ok && ofReplicas(c.Addr) {
			n := int(r.Slot)
			j.Name, j.Index = string(r.Workload), &n
		}
		j.Change = jsonDetail{Actions: c.terraform(), AfterUnknown: json.RawMessage("{}"), Before: orNull(nil), After: orNull(nil),
			BeforeSensitive: json.RawMessage("false"), AfterSensitive: json.RawMessage("false")}
		if c.Before != "" {
			j.Change.Before, j.Change.BeforeSensitive = spec(c.Before)
		}
		if c.After != "" {
			j.Change.After, j.Change.AfterSensitive = spec(c.After)
		}
		for _, d := range c.Diff {
			if d.Replaces {
				j.Change.ReplacePaths = append(j.Change.ReplacePaths, pathWords(d.Path))
			}
		}
		out = append(out, j)
	}
	return out
}

// nested turns attributes into an object, and into one that has true where a value is secret.
func nested(list []Attribute) (values, sensitive json.RawMessage) {
	v, s := map[string]any{}, map[string]any{}
	for _, a := range list {
		words := pathWords(a.Path)
		if a.Sensitive {
			put(v, words, nil)
			put(s, words, true)
			continue
		}
		put(v, words, jsonValue(words[0], a.Value))
	}
	return mustMarshal(v), mustMarshal(s)
}

func put(m map[string]any, words []string, value any) {
	for ; len(words) > 1; words = words[1:] {
		next, ok := m[words[0]].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[words[0]] = next
		}
		m = next
	}
	m[words[0]] = value
}

// jsonValue gives lists, numbers and truth values their own form; texts of env and labels stay texts.
func jsonValue(head, v string) any {
	if head == "env" || head == "labels" {
		return v
	}
	var out any
	if json.Unmarshal([]byte(v), &out) == nil {
		switch out.(type) {
		case float64, bool, []any:
			return json.RawMessage(v)
		}
	}
	return v
}

// pathWords splits `mount."/var/lib".source` into its words. In env and the like what follows the first word is one key.
func pathWords(path string) []string {
	head, rest := splitPath(path)
	switch {
	case rest == "":
		return []string{head}
	case strings.HasPrefix(rest, `"`):
		if i := strings.LastIndex(rest, `".`); i > 0 {
			return []string{head, strings.Trim(rest[:i+1], `"`), rest[i+2:]}
		}
		return []string{head, strings.Trim(rest, `"`)}
	case head == "port":
		label, leaf, _ := strings.Cut(rest, ".")
		return []string{head, label, leaf}
	case head == "placement" || head == "logging":
		return append([]string{head}, strings.SplitN(rest, ".", 2)...)
	}
	return []string{head, rest}
}

func mustMarshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("plan: attributes do not encode: " + err.Error())
	}
	return b
}
