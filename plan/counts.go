package plan

import "github.com/stowage-run/stowage/fleet"

// Counts sums the plan up.
func (p *Plan) Counts() Counts {
	var c Counts
	for i := range p.Changes {
		switch p.Changes[i].Action {
		case Create:
			c.Add++
		case Update, Restart:
			c.Change++
		case Replace:
			c.Replace++
		case Move:
			c.Move++
		case Delete:
			c.Destroy++
		case Adopt:
			c.Adopt++
		case Forget:
			c.Forget++
		}
	}
	return c
}

// Deletions returns how many replicas and how many volumes the plan deletes for good: what the deletion
// budget is about. What is left over is not: no slot loses anything with it.
func (p *Plan) Deletions() (replicas, volumes int) {
	for i := range p.Changes {
		switch c := &p.Changes[i]; {
		case c.Action != Delete || c.Leftover:
		case c.Addr.Kind() == fleet.KindWorkload:
			replicas++
		case c.Addr.Kind() == fleet.KindVolume:
			volumes++
		}
	}
	return replicas, volumes
}
