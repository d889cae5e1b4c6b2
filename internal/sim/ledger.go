package sim

import (
	"fmt"
	"strings"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// ledger is what is recorded, followed transaction by transaction.
type ledger struct {
	replicas map[state.Key]state.Replica
	intents  map[state.Key]state.Intent
	rollouts map[fleet.WorkloadName]state.Rollout
	known    map[string]int // containers' ids and names that a record or an intent names
}

func newLedger() *ledger {
	return &ledger{
		replicas: map[state.Key]state.Replica{}, intents: map[state.Key]state.Intent{}, rollouts: map[fleet.WorkloadName]state.Rollout{},
		known: map[string]int{},
	}
}

func (l *ledger) name(name string, n int) {
	if name == "" {
		return
	}
	if l.known[name] += n; l.known[name] == 0 {
		delete(l.known, name)
	}
}

// take follows one transaction. It returns a line for the trace, without what has no meaning, and the rollouts that changed.
func (l *ledger) take(t state.Txn) (line string, turned []state.Rollout, err error) {
	var said []string
	for _, p := range t.Put {
		l.drop(p.Key)
		v, err := state.Decode(state.Record{Key: p.Key, Value: p.Value})
		if err != nil {
			return "", nil, err
		}
		switch v := v.(type) {
		case state.Replica:
			l.replicas[p.Key] = v
			l.name(v.Container, 1)
			said = append(said, fmt.Sprintf("%s[%d] g%d last g%d on %s proven %v vacant %v", v.Replica.Workload, v.Replica.Slot, v.Generation, v.Last, v.Host, v.Proven, v.Container == ""))
		case state.Intent:
			l.intents[p.Key] = v
			l.name(v.Object, 1)
			said = append(said, fmt.Sprintf("intent to %s %s on %s", v.Kind, v.Object, v.Host))
		case state.Rollout:
			if v.Status != l.rollouts[v.Workload].Status || v.To != l.rollouts[v.Workload].To {
				turned = append(turned, v)
			}
			l.rollouts[v.Workload] = v
			said = append(said, fmt.Sprintf("rollout of %s %s %s %s", v.Workload, v.To.Short(), v.Status, v.Why))
		case state.PlanRecord:
			said = append(said, "plan "+string(v.Result))
		default:
			kind, _, _ := strings.Cut(string(p.Key), "/")
			said = append(said, kind)
		}
	}
	for _, k := range t.Delete {
		if in, ok := l.intents[k]; ok {
			said = append(said, fmt.Sprintf("no intent to %s %s on %s", in.Kind, in.Object, in.Host))
		} else {
			said = append(said, "no "+string(k))
		}
		if w, ok := strings.CutPrefix(string(k), "rollout/"); ok {
			delete(l.rollouts, fleet.WorkloadName(w))
		}
		l.drop(k)
	}
	return strings.Join(said, "; "), turned, nil
}

// drop forgets a record.
func (l *ledger) drop(k state.Key) {
	if r, ok := l.replicas[k]; ok {
		l.name(r.Container, -1)
		delete(l.replicas, k)
	}
	if i, ok := l.intents[k]; ok {
		l.name(i.Object, -1)
		delete(l.intents, k)
	}
}
