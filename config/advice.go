package config

import (
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// adviceFor returns what a word of another tool is called here, by the block in which it is met: a word of
// that block, or a phrase.
//
// The table is that of shared experience with Compose, the docker CLI, Nomad, Kubernetes and Terraform's
// docker provider.
func adviceFor(kind, word string) string {
	word = strings.ToLower(word)
	if say, known := adviseRollout(kind, word); known {
		return say
	}
	if kind == "job" {
		kind = "workload"
	}
	return adviceTable()[kind][word]
}

func adviceTable() map[string]map[string]string {
	toContainer, toHost := "container", "host"
	inLabels, inConstraint := "placement { labels = { ... } }", "placement { constraint { ... } }"
	inAffinity, apart := "placement { affinity { ... } }", "placement { affinity { ... } } with a negative weight"
	return map[string]map[string]string{
		"": {
			"service": "workload", "services": "workload", "group": "workload", "task": "workload", "app": "workload",
			"deployment": "workload", "docker_container": "workload", "docker_service": "workload", "container": "workload",
			"node": "host", "server": "host", "servers": "host", "machine": "host",
			"docker_volume": "volume", "docker_network": "network", "volumes": "volume", "networks": "network",
			"var": "variable", "variables": "variable", "local": "locals", "outputs": "output", "secrets": "secret",
			"terraform": "stowage", "hosts": "host", "workloads": "workload",
			"cron": "job", "cronjob": "job", "batch": "job", "jobs": "job", "periodic": "job", "healthcheck": "workload { healthcheck { ... } }", "update": "workload { update { ... } }",
		},
		"stowage": {"name": "fleet", "backend": "state", "version": "required_version", "state_path": `state "local" { path = "..." }`},
		"host": {
			"host": "address", "hostname": "address", "ip": "address", "addr": "address",
			"user": "ssh { user = \"...\" }", "port": "ssh { port = ... }", "key_file": "ssh { key_file = \"...\" }",
			"jump_host": "ssh { jump_host = \"...\" }", "socket": `engine "docker" { socket = "..." }`, "tags": "labels", "meta": "labels",
		},
		"ssh": {
			"private_key": "key_file", "identity_file": "key_file", "keys": "key_file", "key": "key_file", "proxy": "jump_host",
			"bastion": "jump_host", "proxy_jump": "jump_host", "host_key_policy": "host_key", "username": "user",
		},
		"workload": {
			"environment": "env", "cmd": "command", "args": "command", "volumes": `mount "/path" { source = ... }`,
			"volume": `mount "/path" { source = ... }`, "volume_mount": "mount", "mounts": "mount", "ports": `port "name" { container = ... }`,
			"expose": `port "name" { container = ... }`, "check": "healthcheck", "health_check": "healthcheck",
			"stop_grace_period": "stop_timeout", "kill_timeout": "stop_timeout", "destroy_grace_seconds": "stop_timeout",
			"terminationgraceperiodseconds": "stop_timeout", "kill_signal": "stop_signal",
			"constraints": inConstraint, "constraint": inConstraint,
			"affinity": inAffinity, "affinities": inAffinity, "podaffinity": inAffinity, "podantiaffinity": apart, "nodeaffinity": inAffinity,
			"anti_affinity": apart, "topologyspreadconstraints": "placement { spread = [...] }", "topology_spread_constraint": "placement { spread = [...] }",
			"nodeselector": inLabels, "node_selector": inLabels, "nodename": "placement { hosts = [host.NAME] }", "node_name": "placement { hosts = [host.NAME] }",
			"priority": "placement { priority = ... }", "priorityclassname": "placement { priority = ... }",
			"distinct_hosts": "placement { max_per_host = 1 }", "max_per_host": "placement { max_per_host = ... }", "gpu": "resources { gpus = ... }", "singleton": "exclusive",
			"spread": "placement { spread = [...] }", "hosts": "placement { hosts = [...] }",
			"cpus": "resources { cpu = ... }", "mem_limit": "resources { memory = ... }", "mem_reservation": "resources { memory = ... }",
			"networks_advanced": "networks", "scale": "replicas", "replica": "replicas", "instances": "replicas",
			"work_dir": "working_dir", "workdir": "working_dir", "workingdir": "working_dir", "readonly": "read_only", "readonly_rootfs": "read_only",
			"capabilities": "cap_add", "force_pull": "pull_policy", "imagepullpolicy": "pull_policy", "image_pull_policy": "pull_policy",
			"log_driver": `logging { driver = "..." }`, "log_opts": "logging { options = { ... } }", "log_opt": "logging { options = { ... } }",
			"upload": "file", "files": "file", "configs": "file", "template": "file", "links": "networks", "add_host": "extra_hosts",
			"type": "mode", "entry_point": "entrypoint", "envfile": "env_file", "meta": "labels", "ulimit": "ulimits", "sysctl": "sysctls",
			"device": "devices", "restart_policy_name": "restart",
		},
		"port": {
			"internal": toContainer, "target": toContainer, "to": toContainer, "containerport": toContainer, "container_port": toContainer, "port": toContainer,
			"external": toHost, "published": toHost, "static": toHost, "host_port": toHost, "hostport": toHost, "ip": "bind", "host_ip": "bind",
		},
		"mount":     {"target": `the block's label: mount "/path" { ... }`, "readonly": "read_only", "volume": "source", "path": "source", "type": "source"},
		"tmpfs":     {"tmpfs_size": "size"},
		"file":      {"permissions": "mode", "data": "content", "source": `content = file("...")`, "change_mode": "on_change", "destination": `the block's label: file "/path" { ... }`, "path": `the block's label: file "/path" { ... }`},
		"resources": {"cpus": "cpu", "cores": "cpu", "mem": "memory", "mem_limit": "memory", "memory_limit": "memory_max", "cpu_limit": "cpu_max", "limits": "cpu_max or memory_max", "gpu": "gpus"},
		"logging":   {"opts": "options", "type": "driver"},
		"placement": {"max_replicas": "max_per_host", "max_replicas_per_node": "max_per_host", "distinct_hosts": "max_per_host = 1", "distinct_property": `spread = ["zone"]`,
			"constraints": "constraint { ... }", "preferences": "spread", "prefs": "spread", "topologyspreadconstraints": "spread", "topology_key": "spread", "topologykey": "spread",
			"nodes": "hosts", "node": "hosts", "host": "hosts", "nodename": "hosts", "node_name": "hosts", "affinities": "affinity { ... }", "preferred": "affinity { ... }", "required": "constraint { ... }",
			"anti_affinity": "affinity { ... } with a negative weight", "podantiaffinity": "affinity { ... } with a negative weight",
			"podaffinity": "affinity { ... }", "nodeaffinity": "affinity { ... }",
			"nodeselector": "labels", "node_selector": "labels", "priorityclassname": "priority", "priority_class_name": "priority", "algorithm": "strategy", "scheduler_algorithm": "strategy",
			"bin_pack": `strategy = "binpack"`, "binpack": `strategy = "binpack"`, "weight": "affinity { weight = ... }",
		},
		"constraint": constraintWords(), "affinity": constraintWords(),
		"capacity": {"device": "devices", "cpus": "cpu", "cores": "cpu", "mem": "memory", "gpu": "gpus"},
		"reserve":  {"cpus": "cpu", "cores": "cpu", "mem": "memory", "gpu": "gpus"},
		"check":    {"condition": "assert { condition = ... }", "error_message": "assert { error_message = ... }", "assertion": "assert", "validation": "assert", "precondition": "assert", "postcondition": "assert"},
		"assert":   {"message": "error_message", "error": "error_message", "test": "condition", "that": "condition"},
		"volume":   {"name": "the block's label", "driver_opts": "options", "type": "driver"},
		"network":  {"name": "the block's label"},
		"secret":   {"value": "env, file or command", "path": "file", "environment": "env", "cmd": "command"},
		"variable": {"validate": "validation", "secret": "sensitive"},
		"output":   {"secret": "sensitive"},
	}
}

// constraintWords are those of constraint and affinity blocks alike.
func constraintWords() map[string]string {
	return map[string]string{
		"key": "attribute", "label": "attribute", "name": "attribute", "workload": "attribute = workload.NAME", "op": "operator",
		"values": "value", "score": "weight",
	}
}

// refusals are words that have no counterpart here, with the reason.
func refusalFor(kind, word string) string {
	word = strings.ToLower(word)
	if why := rolloutRefusals()[kind][word]; why != "" {
		return why
	}
	if kind == "job" {
		kind = "workload"
	}
	return map[string]map[string]string{
		"workload": {
			"container_name": "A container's name cannot be chosen: it is <fleet>-<workload>-<slot>-g<generation>, so that a create that was cut off is found again.",
			"name":           "A workload's name is the block's label, and a container's follows from it.",
			"build":          "Stowage runs images and does not build them. Build it first and name it in image; one that only this machine has is sent to the hosts.",
		},
		"host": {
			"name":   "A host's name is the block's label.",
			"taints": "Hosts have no taints. cordon keeps new replicas away; a label and constraints keep workloads to some hosts.",
			"taint":  "Hosts have no taints. cordon keeps new replicas away; a label and constraints keep workloads to some hosts.",
		},
		"placement": {
			"tolerations": "There are no taints to tolerate: a workload's own placement says where it may stand.",
			"toleration":  "There are no taints to tolerate: a workload's own placement says where it may stand.",
			"max_skew":    "spread is always as even as it can be.",
			"maxskew":     "spread is always as even as it can be.",
		},
		"constraint": {"weight": "A constraint is a condition and has no weight; a wish with a weight is an affinity."},
	}[kind][word]
}

// nearest returns the candidate that word was probably meant to be, or nothing. Half the letters of a short
// word wrong is no near miss.
func nearest(word string, candidates []string) string {
	best, at := "", 3
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		d := levenshtein.Distance(word, c, nil)
		if d < at && d*2 <= max(len(word), 2) && d < len(c) {
			best, at = c, d
		}
	}
	return best
}

// elsewhere returns the block in which a word of g's nested blocks, or of its parent, belongs.
func elsewhere(g *grammar, word string) string {
	for _, k := range g.blockNames() {
		if slices.Contains(g.blocks[k].args, word) {
			return k
		}
	}
	return ""
}
