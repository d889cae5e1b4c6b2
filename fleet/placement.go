package fleet

import (
	"fmt"
	"strconv"
	"strings"
)

// Placement says where replicas may stand and which of those places is best.
//
// Hosts, Labels, Constraints and MaxPerHost are hard: a host that fails one takes no replica. Of the hosts that are left
// the best is chosen by Spread first, then Affinities, then Strategy.
type Placement struct {
	Hosts       []HostName        `json:"hosts,omitempty"`  // only these; empty: any
	Labels      map[string]string `json:"labels,omitempty"` // all of these
	Spread      []string          `json:"spread,omitempty"` // evenly over these labels' values, in order; then over hosts
	MaxPerHost  int               `json:"max_per_host,omitempty"`
	Strategy    Strategy          `json:"strategy,omitempty"`
	Constraints []Constraint      `json:"constraints,omitempty"` // all of them; in the order of the configuration
	Affinities  []Affinity        `json:"affinities,omitempty"`  // in the order of the configuration

	// Priority is from 1 to 100. One that is higher may displace one that is lower. 0 is DefaultPriority.
	Priority int `json:"priority,omitempty"`
}

// DefaultPriority is that of a workload which says none: in the middle, so that there is room on both sides.
const DefaultPriority = 50

// Rank is the priority with the default filled in.
func (p Placement) Rank() int {
	if p.Priority == 0 {
		return DefaultPriority
	}
	return p.Priority
}

// Strategy says which of two hosts that are equally good otherwise is taken.
type Strategy string

// The strategies. The empty one is StrategySpread.
const (
	StrategySpread  Strategy = "spread"  // the one with fewer of the workload's own replicas, then the emptier one
	StrategyBinpack Strategy = "binpack" // the fuller one, so that few hosts are used
)

// Constraint is what a host has to be. A host that lacks the attribute meets != and not_in, and no other operator but
// is_set with the value "false".
//
// Attribute is a label of the host, or one of the facts "host.name", "host.address", "host.arch", "host.os", "host.engine"
// and "host.engine_version". A fact that is not known, since the host did not answer, moves nothing that stands there.
type Constraint struct {
	Attribute string   `json:"attribute"`
	Operator  Operator `json:"operator"`         // never empty
	Values    []string `json:"values,omitempty"` // several for in and not_in, else one; IsSet: "true" or "false"
}

// String writes the constraint as people read it: `zone in ["eu-a", "eu-b"]`, `disk is_set true`.
func (c Constraint) String() string { return comparison(c.Attribute, c.Operator, c.Values) }

func comparison(attribute string, op Operator, values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	switch op {
	case "":
		return attribute
	case OpIn, OpNotIn:
		return fmt.Sprintf("%s %s [%s]", attribute, op, strings.Join(quoted, ", "))
	}
	return fmt.Sprintf("%s %s %s", attribute, op, strings.Join(quoted, ", "))
}

// Operator compares an attribute with the values of a constraint or affinity.
type Operator string

// The operators. The four of order compare as numbers where both sides are numbers (0.5, 16), else as text.
const (
	OpEqual        Operator = "="
	OpNotEqual     Operator = "!="
	OpLess         Operator = "<"
	OpLessEqual    Operator = "<="
	OpGreater      Operator = ">"
	OpGreaterEqual Operator = ">="
	OpIn           Operator = "in"
	OpNotIn        Operator = "not_in"
	OpRegexp       Operator = "regexp"  // RE2, anywhere in the attribute
	OpVersion      Operator = "version" // version constraints as Terraform writes them: ">= 20.10, < 28"
	OpIsSet        Operator = "is_set"
)

// Affinity is a wish for, or with a negative weight against, hosts of a kind or hosts on which a workload stands. The
// weights of all that a host meets are added up; the host with the greater sum is better.
type Affinity struct {
	// Attribute is as in Constraint, or "workload.<name>": met where at least one replica of that workload stands. Then
	// Operator and Values are empty. A workload has no affinity to itself: that is what Spread and Strategy are for.
	Attribute string   `json:"attribute"`
	Operator  Operator `json:"operator,omitempty"`
	Values    []string `json:"values,omitempty"`
	Weight    int      `json:"weight"` // from -100 to 100, not 0
}

// String writes the affinity as people read it: `+50 disk = "ssd"`, `-20 workload.cache`.
func (a Affinity) String() string {
	return fmt.Sprintf("%+d %s", a.Weight, comparison(a.Attribute, a.Operator, a.Values))
}
