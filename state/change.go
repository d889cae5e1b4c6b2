package state

import (
	"github.com/stowage-run/stowage/fleet"
)

// Changes collects changes to typed records. The zero value holds none. A later change of a record
// replaces an earlier one. It is not safe for concurrent use; a copy shares what is collected.
type Changes struct {
	ops   []op
	index map[Key]int
	err   error
}

// op is one change; value is nil for a deletion.
type op struct {
	key   Key
	value []byte
}

func (o op) size() int { return len(o.key) + len(o.value) }

// Len is the number of records that change.
func (c *Changes) Len() int { return len(c.ops) }

// PutMeta records the fleet's identity, as a rebuild does. EnsureMeta makes a new one.
func (c *Changes) PutMeta(m Meta) { c.put(MetaKey(), m) }

// PutWorkload records a workload as applied.
func (c *Changes) PutWorkload(w fleet.Workload) { c.put(WorkloadKey(w.Name), w) }

// DeleteWorkload forgets a workload.
func (c *Changes) DeleteWorkload(n fleet.WorkloadName) { c.delete(WorkloadKey(n)) }

// PutSpec records the spec of a revision.
func (c *Changes) PutSpec(r fleet.Revision, s fleet.Spec) { c.put(SpecKey(r), s) }

// DeleteSpec forgets a revision that no replica has any more.
func (c *Changes) DeleteSpec(r fleet.Revision) { c.delete(SpecKey(r)) }

// PutReplica records a replica.
func (c *Changes) PutReplica(r Replica) { c.put(ReplicaKey(r.Replica), r) }

// DeleteReplica forgets a replica.
func (c *Changes) DeleteReplica(r fleet.ReplicaID) { c.delete(ReplicaKey(r)) }

// PutVolume records a volume.
func (c *Changes) PutVolume(v Volume) { c.put(VolumeKey(v.Host, v.Engine), v) }

// DeleteVolume forgets a volume, by its name on the engine.
func (c *Changes) DeleteVolume(h fleet.HostName, engine string) { c.delete(VolumeKey(h, engine)) }

// PutNetwork records a network.
func (c *Changes) PutNetwork(n Network) { c.put(NetworkKey(n.Host, n.Engine), n) }

// DeleteNetwork forgets a network, by its name on the engine.
func (c *Changes) DeleteNetwork(h fleet.HostName, engine string) { c.delete(NetworkKey(h, engine)) }

// PutHost records how a host is reached.
func (c *Changes) PutHost(h Host) { c.put(HostKey(h.Host.Name), h) }

// DeleteHost forgets a host.
func (c *Changes) DeleteHost(n fleet.HostName) { c.delete(HostKey(n)) }

// PutIntent notes that a step is about to be sent.
func (c *Changes) PutIntent(i Intent) { c.put(IntentKey(i.Op), i) }

// DeleteIntent removes the note once the outcome is recorded.
func (c *Changes) DeleteIntent(op fleet.OpID) { c.delete(IntentKey(op)) }

// PutDebt records what is owed to a host.
func (c *Changes) PutDebt(d Debt) { c.put(DebtKey(d.Host), d) }

// DeleteDebt removes a debt that is paid.
func (c *Changes) DeleteDebt(h fleet.HostName) { c.delete(DebtKey(h)) }

// PutRollout records how a workload's change goes out.
func (c *Changes) PutRollout(r Rollout) { c.put(RolloutKey(r.Workload), r) }

// DeleteRollout drops it, with the workload.
func (c *Changes) DeleteRollout(n fleet.WorkloadName) { c.delete(RolloutKey(n)) }

// PutOverride records a number of replicas that a person has set.
func (c *Changes) PutOverride(o Override) { c.put(OverrideKey(o.Workload), o) }

// DeleteOverride drops it: the configuration's number counts again.
func (c *Changes) DeleteOverride(n fleet.WorkloadName) { c.delete(OverrideKey(n)) }

// PutOutput records an output.
func (c *Changes) PutOutput(o fleet.Output) { c.put(OutputKey(o.Name), o) }

// DeleteOutput forgets an output.
func (c *Changes) DeleteOutput(name string) { c.delete(OutputKey(name)) }

// PutRelease records a release and makes it the latest.
func (c *Changes) PutRelease(r Release) {
	c.put(ReleaseKey(r.Number), r)
	c.put(LatestKey(), r.Number)
}

// PutPlan records a plan that is carried out, or how it ended.
func (c *Changes) PutPlan(p PlanRecord) { c.put(PlanKey(p.ID), p) }

func (c *Changes) put(k Key, record any) {
	v, err := encode(k, record)
	if err != nil {
		if c.err == nil {
			c.err = err
		}
		return
	}
	c.set(op{k, v})
}

func (c *Changes) delete(k Key) { c.set(op{key: k}) }

func (c *Changes) set(o op) {
	if i, ok := c.index[o.key]; ok {
		c.ops[i] = o
		return
	}
	if c.index == nil {
		c.index = map[Key]int{}
	}
	c.index[o.key] = len(c.ops)
	c.ops = append(c.ops, o)
}

// merge adds the changes of o after those of c.
func (c *Changes) merge(o Changes) {
	for _, x := range o.ops {
		c.set(x)
	}
}

// Txn makes transactions of the changes, in the order in which the changes were made, each within the
// limits of a store. The conditions are the first one's. No changes give no transaction, unless there are conditions.
//
// Where more than one is given they do not happen together: a crash may leave only the first ones. So may
// be written what can be written again from the start: a rebuild, an import, the clean-up of specs, the
// records of workloads and outputs after a release. What belongs to one step (its replica, its
// intent, its volume) is far below the limits and always one transaction.
//
// The error is that of a record that cannot be encoded.
func (c *Changes) Txn(e Epoch, conditions ...Condition) ([]Txn, error) {
	if c.err != nil {
		return nil, c.err
	}
	var out []Txn
	t := Txn{Epoch: e, If: conditions}
	n, size := 0, t.size()
	for _, o := range c.ops {
		if n > 0 && (n+1 > MaxTxnOps || size+o.size() > MaxTxnBytes) {
			out = append(out, t)
			t, n, size = Txn{Epoch: e}, 0, 0
		}
		if o.value == nil {
			t.Delete = append(t.Delete, o.key)
		} else {
			t.Put = append(t.Put, Put{o.key, o.value})
		}
		n, size = n+1, size+o.size()
	}
	if n > 0 || len(conditions) > 0 && len(out) == 0 {
		out = append(out, t)
	}
	return out, nil
}
