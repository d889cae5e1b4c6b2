package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// grammar says what may stand in a body. It is checked before anything is evaluated, so that a mistake
// in a block of which there are no instances is found too.
type grammar struct {
	labels []string // what each label is, for messages: "name"
	args   []string
	later  []string // arguments and blocks of the language that are not supported yet
	blocks map[string]*grammar
	one    bool // at most one of these blocks in its parent
	meta   bool // count and for_each make several
	open   bool // any argument: locals
}

func words(s string) []string { return strings.Fields(s) }

// fileGrammar is the grammar of a configuration file.
func fileGrammar() *grammar {
	ssh := &grammar{one: true, args: words("user port key_file known_hosts host_key jump_host timeout")}
	engine := &grammar{one: true, labels: words("kind"), args: words("socket")}
	amount := &grammar{one: true, args: words("cpu memory gpus")}
	capacity := &grammar{one: true, args: words("cpu memory gpus devices")}
	return &grammar{
		later: words("module moved removed import plugin registry load_balancer route provider resource data"),
		blocks: map[string]*grammar{
			"stowage": {
				one: true, args: words("fleet required_version deletion_budget"), later: words("encryption"),
				blocks: map[string]*grammar{"state": {one: true, labels: words("kind"), args: words("path endpoints prefix ca_file cert_file key_file username password_env")}},
			},
			"defaults": {one: true, blocks: map[string]*grammar{"ssh": ssh, "engine": engine, "reserve": amount}},
			"host": {
				meta: true, labels: words("name"), args: words("address labels cordon drain"),
				blocks: map[string]*grammar{"ssh": ssh, "engine": engine, "reserve": amount, "capacity": capacity},
			},
			"workload": workloadGrammar(),
			"job":      jobGrammar(),
			"volume":   {meta: true, labels: words("name"), args: words("driver options per_replica prevent_destroy")},
			"network":  {meta: true, labels: words("name"), args: words("driver")},
			"secret":   {meta: true, labels: words("name"), args: words("env file command"), later: words("age_file")},
			"variable": {
				labels: words("name"), args: words("type default description sensitive nullable"),
				blocks: map[string]*grammar{"validation": {args: words("condition error_message")}},
			},
			"locals": {open: true},
			"output": {labels: words("name"), args: words("value description sensitive")},
			"check": {
				labels: words("name"), later: words("data"),
				blocks: map[string]*grammar{"assert": {args: words("condition error_message")}},
			},
		},
	}
}

func workloadGrammar() *grammar {
	return &grammar{
		meta: true, labels: words("name"),
		args: words(`image pull_policy replicas mode entrypoint command working_dir user hostname env env_file labels
			networks network_mode extra_hosts restart stop_signal stop_timeout depends_on read_only privileged cap_add
			cap_drop security_opt sysctls ulimits init shm_size pids_limit devices tmpfs dns exclusive`),
		later: words(`restart_policy on_host_loss drain_timeout drift lifecycle engine_options image_update route autoscale load_balancer`),
		blocks: map[string]*grammar{
			"port":        {labels: words("name"), args: words("container host bind protocol")},
			"mount":       {labels: words("path"), args: words("source read_only"), blocks: map[string]*grammar{"tmpfs": {one: true, args: words("size")}}},
			"file":        {labels: words("path"), args: words("content mode on_change")},
			"resources":   {one: true, args: words("cpu cpu_max memory memory_max gpus")},
			"logging":     {one: true, args: words("driver options")},
			"healthcheck": {one: true, args: words("http tcp grpc command port interval timeout retries start_period on_unhealthy")},
			"update": {one: true, args: words(`strategy max_parallel max_surge max_unavailable order min_healthy_time healthy_deadline
				progress_deadline canary auto_promote on_failure`)},
			"hook": {labels: words("kind"), args: words("command timeout")},
			"placement": {
				one: true, args: words("hosts labels spread max_per_host strategy priority"),
				blocks: map[string]*grammar{
					"constraint": {args: words("attribute operator value")},
					"affinity":   {args: words("attribute operator value weight")},
				},
			},
		},
	}
}

// jobGrammar is that of a workload without what only concerns something that is kept running.
func jobGrammar() *grammar {
	g := workloadGrammar()
	g.args = append(g.args, "retries", "timeout")
	g.later = words("schedule time_zone overlap on_host_loss drift lifecycle engine_options")
	for _, k := range words("healthcheck update hook") {
		delete(g.blocks, k)
	}
	return g
}

// dynamicGrammar is the grammar of a dynamic block around blocks of grammar g.
func dynamicGrammar(g *grammar) *grammar {
	content := &grammar{one: true, open: true}
	if g != nil {
		c := *g
		c.labels, c.one, c.meta = nil, true, false
		content = &c
	}
	return &grammar{args: words("for_each iterator labels"), blocks: map[string]*grammar{"content": content}}
}

// all returns every word that may be written as an argument.
func (g *grammar) all() []string {
	out := slices.Clone(g.args)
	if g.meta {
		out = append(out, "count", "for_each")
	}
	return out
}

// blockNames returns the kinds of blocks, in order.
func (g *grammar) blockNames() []string {
	var out []string
	for k := range g.blocks {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// schema is the grammar as the JSON reader needs it: which keys are blocks.
func (g *grammar) schema() *hcl.BodySchema {
	s := &hcl.BodySchema{}
	for _, k := range g.blockNames() {
		s.Blocks = append(s.Blocks, hcl.BlockHeaderSchema{Type: k, LabelNames: g.blocks[k].labels})
	}
	if len(g.blocks) > 0 && g.blocks["stowage"] == nil {
		s.Blocks = append(s.Blocks, hcl.BlockHeaderSchema{Type: "dynamic", LabelNames: []string{"kind"}})
	}
	return s
}
