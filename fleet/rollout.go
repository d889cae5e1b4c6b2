package fleet

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// CheckKind is a way to ask a replica whether it does its work.
type CheckKind string

// The kinds of health checks. The empty one is the image's own HEALTHCHECK, and where the image has none, that the
// container runs.
const (
	CheckImage   CheckKind = ""
	CheckHTTP    CheckKind = "http"    // a GET that is answered with a status from 200 to 399
	CheckTCP     CheckKind = "tcp"     // a connection that is accepted
	CheckGRPC    CheckKind = "grpc"    // grpc.health.v1.Health/Check that answers SERVING
	CheckCommand CheckKind = "command" // a command in the container that ends with status 0
)

// Healthcheck says how to tell whether a replica does its work. It is asked from outside, through the connection to the
// host, so the image needs no shell and no client. What cannot be asked is unknown, and unknown is not unhealthy.
type Healthcheck struct {
	Kind        CheckKind     `json:"kind,omitempty"`
	Path        string        `json:"path,omitempty"`    // of CheckHTTP, with its query
	Service     string        `json:"service,omitempty"` // of CheckGRPC; empty: the server as a whole
	Command     []string      `json:"command,omitempty"` // of CheckCommand
	Port        string        `json:"port,omitempty"`    // the name of the workload's port, for all but CheckCommand
	Interval    time.Duration `json:"interval,omitempty"`
	Timeout     time.Duration `json:"timeout,omitempty"`      // of one try
	StartPeriod time.Duration `json:"start_period,omitempty"` // after its start, in which a failure does not count
	Retries     int           `json:"retries,omitempty"`      // failures in a row that make it unhealthy
	OnUnhealthy OnUnhealthy   `json:"on_unhealthy,omitempty"`
}

// OnUnhealthy says what is done with a replica that was healthy and no longer is.
type OnUnhealthy string

// What is done with an unhealthy replica. The empty value is UnhealthyRestart.
const (
	UnhealthyRestart OnUnhealthy = "restart"
	UnhealthyNone    OnUnhealthy = "none"
)

// UpdateStrategy says how the replicas of a workload are brought to a new revision.
type UpdateStrategy string

// The strategies of an update. The empty one is UpdateRolling.
const (
	UpdateRolling   UpdateStrategy = "rolling"    // a few at a time
	UpdateBlueGreen UpdateStrategy = "blue-green" // all new ones beside all old ones, which go when the new ones are healthy
	UpdateRecreate  UpdateStrategy = "recreate"   // all old ones end before the first new one starts
)

// UpdateOrder says which of the old and the new container of a slot comes first.
type UpdateOrder string

// The orders of an update. The empty one is StopFirst.
const (
	StartFirst UpdateOrder = "start-first"
	StopFirst  UpdateOrder = "stop-first"
)

// OnFailure says what becomes of an update whose gate fails.
type OnFailure string

// What becomes of an update that fails. The empty value is FailureRollback.
const (
	FailureRollback OnFailure = "rollback" // the whole workload goes back to what it was
	FailurePause    OnFailure = "pause"    // it stays as it is until somebody says how to go on
	FailureContinue OnFailure = "continue" // the rest is updated all the same
)

// Update says how a change of a running workload goes out. The zero value stops and replaces one replica at a time and
// waits for nothing but that it runs; the configuration's defaults are filled in by its loader.
type Update struct {
	Strategy         UpdateStrategy `json:"strategy,omitempty"`
	MaxParallel      Amount         `json:"max_parallel,omitzero"`    // slots under way at once; zero: 1
	MaxSurge         Amount         `json:"max_surge,omitzero"`       // live ones beyond the wanted number
	MaxUnavailable   Amount         `json:"max_unavailable,omitzero"` // healthy ones below the wanted number, through our own doing
	Order            UpdateOrder    `json:"order,omitempty"`
	MinHealthyTime   time.Duration  `json:"min_healthy_time,omitempty"`  // that a new replica is healthy without a break before it counts
	HealthyDeadline  time.Duration  `json:"healthy_deadline,omitempty"`  // from its start until it counts; 0: none
	ProgressDeadline time.Duration  `json:"progress_deadline,omitempty"` // from one that counts to the next; 0: none
	Canary           int            `json:"canary,omitempty"`            // slots that go first, and wait for a promotion
	AutoPromote      bool           `json:"auto_promote,omitempty"`      // healthy canaries promote themselves
	OnFailure        OnFailure      `json:"on_failure,omitempty"`
}

// Amount is a number of replicas, or a part of those wanted.
type Amount struct {
	N       int
	Percent bool
}

// Floor is the amount of n, a part rounded down, as for what may be missing.
func (a Amount) Floor(n int) int {
	if a.Percent {
		return n * a.N / 100
	}
	return a.N
}

// Ceil is the amount of n, a part rounded up, as for what may be there beyond.
func (a Amount) Ceil(n int) int {
	if a.Percent {
		return (n*a.N + 99) / 100
	}
	return a.N
}

// String writes the amount as configuration does: "2", "25%".
func (a Amount) String() string {
	if a.Percent {
		return strconv.Itoa(a.N) + "%"
	}
	return strconv.Itoa(a.N)
}

// MarshalJSON writes the amount as String does.
func (a Amount) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Amount) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("an amount: %w", err)
	}
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return fmt.Errorf("an amount: %q is neither a number nor a percentage", s)
	}
	*a = Amount{N: n, Percent: percent}
	return nil
}

// HookKind says when a hook runs.
type HookKind string

// The kinds of hooks. Each runs once a rollout, in the new image.
const (
	HookPreDeploy  HookKind = "pre_deploy"  // before anything changes; where it fails nothing does
	HookPostDeploy HookKind = "post_deploy" // after all replicas are healthy
	HookOnFailure  HookKind = "on_failure"  // when a gate has failed
)

// Hook is a command that runs once a rollout.
type Hook struct {
	Kind    HookKind      `json:"kind"`
	Command []string      `json:"command"`
	Timeout time.Duration `json:"timeout"`
}

// Job makes a workload one that runs to completion, once a release, instead of being kept running.
type Job struct {
	Retries int           `json:"retries,omitempty"` // runs beyond the first
	Timeout time.Duration `json:"timeout,omitempty"` // of one run; 0: none
}
