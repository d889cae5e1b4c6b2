package config

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// evaluation is one run of Evaluate.
type evaluation struct {
	c      *Config
	ctx    context.Context
	sealer func(string) fleet.Fingerprint
	base   *hcl.EvalContext
	values map[*node]cty.Value
	failed map[*node]bool
	diags  diag.List

	out      *Desired
	defaults hostDefaults
	replicas int
	wishes   []wish
}

// Evaluate computes the fleet. seal makes the fingerprints of secrets: equal for equal values, and nothing
// else about it matters here. It resolves the secrets that are referred to, which may run their commands.
// The fleet is nil where the list holds errors.
func (c *Config) Evaluate(ctx context.Context, seal func(string) fleet.Fingerprint) (*Desired, diag.List) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.meter.start(ctx)
	e := &evaluation{c: c, ctx: ctx, sealer: seal, base: c.baseScope(), values: map[*node]cty.Value{}, failed: map[*node]bool{}}
	e.out = &Desired{Fleet: &fleet.Fleet{Name: c.Settings.Fleet}, Vault: fleet.Vault{}, Ranges: map[fleet.Addr]diag.Range{},
		Variables: c.VariableValues(), Revealed: map[string][]byte{}}
	e.readDefaults()
	for _, n := range c.order {
		if c.meter.spent != nil {
			break
		}
		e.node(n)
	}
	e.diags = c.meter.report(e.diags)
	if !e.diags.HasErrors() {
		e.finish()
	}
	if !e.diags.HasErrors() {
		e.checks()
		e.diags = c.meter.report(e.diags)
	}
	e.diags = c.scrub.clean(e.diags)
	if e.diags.HasErrors() {
		return nil, e.diags
	}
	e.out.Digest = e.digest()
	return e.out, e.diags
}

// node evaluates one node. What refers to a node that failed is passed over: its mistakes would only
// repeat that one.
func (e *evaluation) node(n *node) {
	for _, r := range n.refs {
		if e.failed[r.to] {
			e.failed[n] = true
			return
		}
	}
	before := len(e.diags)
	v := cty.DynamicVal
	switch n.kind {
	case "local":
		v = e.local(n)
	case "output":
		e.output(n)
	case "secret":
		if n.used {
			v = e.instances(n, e.secret)
		}
	case "host":
		v = e.instances(n, e.host)
	case "workload":
		v = e.instances(n, e.workload)
	case "job":
		v = e.instances(n, e.job)
	case "volume":
		v = e.instances(n, e.volume)
	case "network":
		v = e.instances(n, e.network)
	case "check": // when all else is known
	default:
		panic("config: a node of kind " + n.kind)
	}
	e.values[n] = v
	e.failed[n] = e.diags[before:].HasErrors()
}

func (e *evaluation) local(n *node) cty.Value {
	d := &decoder{c: e.c, ctx: e.scopeFor(n), in: "locals"}
	v, ok := d.eval(n.attr)
	e.diags = append(e.diags, d.diags...)
	if !ok {
		return cty.DynamicVal
	}
	return v
}

// earlyScope evaluates what the stowage block refers to: locals made of variables.
func (c *Config) earlyScope(b *block) (*hcl.EvalContext, diag.List) {
	n := &node{addr: "stowage", kind: "stowage", block: b}
	l := linker{c: c, n: n, in: b.title()}
	used := map[*node]bool{}
	for _, x := range c.nodes {
		used[x] = x.used
	}
	l.body(b.body, nil)
	for x, u := range used {
		x.used = u // the stowage block alone gives no reason to resolve a secret
	}
	if l.diags.HasErrors() {
		return nil, l.diags
	}
	need := map[*node]bool{}
	if ds := c.earlyNeeds(n, need); ds != nil {
		return nil, ds
	}
	e := &evaluation{c: c, base: c.baseScope(), values: map[*node]cty.Value{}, failed: map[*node]bool{}}
	for _, x := range c.order {
		if need[x] {
			e.node(x)
		}
	}
	return e.scopeFor(n), e.diags
}

// earlyNeeds collects the locals behind a node, and refuses anything else.
func (c *Config) earlyNeeds(n *node, need map[*node]bool) diag.List {
	todo := []*node{n}
	for len(todo) > 0 {
		x := todo[0]
		todo = todo[1:]
		for _, r := range x.refs {
			if r.to.kind != "local" {
				return diag.List{problem(diag.CodeReference, "Reference not possible here", r.at, "",
					fmt.Sprintf("The %s block is read before everything else, so it can use variables and locals made of them, but not %s.", n.block.kind, r.to.addr), "")}
			}
			if !need[r.to] {
				need[r.to] = true
				todo = append(todo, r.to)
			}
		}
	}
	return nil
}

// seal keeps a plaintext in the vault and returns what stands for it.
func (e *evaluation) seal(s string) fleet.Text {
	if s == "" {
		return fleet.Text{} // nothing to hide, and Text has no other empty string
	}
	f := e.sealer(s)
	e.out.Vault[f] = s
	return fleet.Text{Sealed: f}
}
