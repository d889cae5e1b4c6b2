package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// StaleError says that records which a plan relies on are no longer as they were when it was made.
type StaleError struct {
	Keys    []state.Key
	Objects []string // what the records are of, for people: "workload.web[2]", "the latest release"; sorted
}

// Error names the first of the objects.
func (e *StaleError) Error() string {
	return "the plan is stale: " + list(e.Objects, 5) + " changed since it was made"
}

// Check reports whether the plan may be carried out on what is recorded now: ErrForeign where that is another
// fleet's, a *StaleError where a record it relies on has changed.
func (p *Plan) Check(s *state.Snapshot, id fleet.ID) error {
	if p.Fleet != id {
		return fmt.Errorf("%w: it is of %s (%s)", ErrForeign, p.Name, p.Fleet)
	}
	var e StaleError
	for _, g := range p.Guards {
		if s.Serials[g.Key] != g.Serial {
			e.Keys = append(e.Keys, g.Key)
			e.Objects = append(e.Objects, objectOf(g.Key))
		}
	}
	if len(e.Keys) == 0 {
		return nil
	}
	slices.Sort(e.Objects)
	e.Objects = slices.Compact(e.Objects)
	return &e
}

// objectOf names what a record is of.
func objectOf(k state.Key) string {
	if r, ok := k.Replica(); ok {
		return string(r.Addr())
	}
	kind, parts, err := k.Split()
	if err != nil {
		return string(k)
	}
	switch {
	case k == state.MetaKey():
		return "the fleet's identity"
	case k == state.LatestKey():
		return "the latest release"
	case len(parts) == 2:
		return kind + " " + parts[1] + " on " + parts[0]
	case kind == "workload" || kind == "host":
		return kind + "." + parts[0]
	case kind == "intent":
		return "an interrupted run"
	}
	return strings.TrimSpace(kind + " " + strings.Join(parts, " "))
}
