package config

import (
	"fmt"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// adviseOperator says which operator is meant.
func adviseOperator(s string) (detail, remedy string) {
	list := `There are "` + strings.Join(operators(), `", "`) + `".`
	switch word := strings.ToLower(s); word {
	case "distinct_hosts":
		return "There is no operator distinct_hosts: max_per_host says how many replicas of a workload one host may have.", "max_per_host = 1"
	case "distinct_property":
		return "There is no operator distinct_property: spread puts replicas evenly over the values of a label.", `spread = ["zone"]`
	case "set_contains", "set_contains_all", "set_contains_any":
		return fmt.Sprintf("There is no operator %s: a label has one value. To ask for one of several values there is %q; several labels are several constraints.", s, fleet.OpIn), `operator = "in"`
	case "is_not_set", "doesnotexist", "not_set", "!exists":
		return fmt.Sprintf("There is no operator %s: is_set asks for false instead.", s), "operator = \"is_set\"\nvalue    = false"
	default:
		if op := map[string]fleet.Operator{
			"==": fleet.OpEqual, "is": fleet.OpEqual, "eq": fleet.OpEqual, "equal": fleet.OpEqual, "equals": fleet.OpEqual, "===": fleet.OpEqual,
			"not": fleet.OpNotEqual, "is_not": fleet.OpNotEqual, "ne": fleet.OpNotEqual, "<>": fleet.OpNotEqual, "!==": fleet.OpNotEqual,
			"lt": fleet.OpLess, "le": fleet.OpLessEqual, "lte": fleet.OpLessEqual, "gt": fleet.OpGreater, "ge": fleet.OpGreaterEqual, "gte": fleet.OpGreaterEqual,
			"in": fleet.OpIn, "one_of": fleet.OpIn, "any": fleet.OpIn, "notin": fleet.OpNotIn, "not in": fleet.OpNotIn, "not-in": fleet.OpNotIn, "!in": fleet.OpNotIn,
			"regex": fleet.OpRegexp, "=~": fleet.OpRegexp, "~": fleet.OpRegexp, "matches": fleet.OpRegexp, "match": fleet.OpRegexp,
			"semver": fleet.OpVersion, "exists": fleet.OpIsSet, "isset": fleet.OpIsSet, "set": fleet.OpIsSet,
		}[word]; op != "" {
			return fmt.Sprintf("%q is not an operator.", s), fmt.Sprintf("operator = %q", op)
		}
	}
	if n := nearest(s, operators()); n != "" {
		return fmt.Sprintf("%q is not an operator. %s", s, list), fmt.Sprintf("operator = %q", n)
	}
	return fmt.Sprintf("%q is not an operator. %s", s, list), ""
}

// adviseAttribute says what an attribute of another tool is called here; detail is empty where it is none of theirs.
// Such a word may be a label as well, so it is asked only where no host has that label.
func adviseAttribute(s string) (detail, remedy string) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "${"), "}")
	for _, op := range []string{"==", "!="} {
		if name, value, ok := strings.Cut(s, op); ok {
			name = strings.TrimSpace(name)
			if tool, better := theirAttribute(name); better != "" {
				name = better
			} else if tool != "" {
				name = lastWord(name)
			}
			return fmt.Sprintf("%q is a whole constraint as Swarm writes it. Here the name, the operator and the value are an argument each.", s),
				fmt.Sprintf("attribute = %q\noperator  = %q\nvalue     = %q", name, strings.Replace(op, "==", "=", 1), strings.TrimSpace(value))
		}
	}
	tool, better := theirAttribute(s)
	switch {
	case tool == "":
		return "", ""
	case better == "":
		return fmt.Sprintf("%s is an attribute of %s, and hosts have nothing of the kind. What tells hosts apart is their labels.", s, tool),
			fmt.Sprintf("labels = { %s = \"...\" } in host blocks, and attribute = %q", quotedKey(lastWord(s)), lastWord(s))
	}
	kind := "the label is named as it is"
	if strings.HasPrefix(better, "host.") {
		kind = "the fact is called " + better
	}
	return fmt.Sprintf("%s is an attribute of %s; here %s.", s, tool, kind), fmt.Sprintf("attribute = %q", better)
}

// lastWord is what stands behind the last dot.
func lastWord(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }

// theirAttribute recognises attributes of Nomad, Swarm and Kubernetes. better is empty where there is no counterpart.
func theirAttribute(s string) (tool, better string) {
	const nomad, swarm, kube = "Nomad", "Swarm", "Kubernetes"
	known := map[string][2]string{
		"attr.cpu.arch": {nomad, "host.arch"}, "attr.arch": {nomad, "host.arch"}, "attr.kernel.name": {nomad, "host.os"}, "attr.os.name": {nomad, "host.os"},
		"attr.unique.hostname": {nomad, "host.name"}, "node.unique.name": {nomad, "host.name"}, "node.unique.id": {nomad, "host.name"},
		"attr.unique.network.ip-address": {nomad, "host.address"}, "attr.driver.docker.version": {nomad, "host.engine_version"},
		"node.datacenter": {nomad, ""}, "node.class": {nomad, ""}, "node.pool": {nomad, ""}, "node.region": {nomad, ""},
		"node.hostname": {swarm, "host.name"}, "node.id": {swarm, "host.name"}, "node.ip": {swarm, "host.address"}, "node.role": {swarm, ""},
		"node.platform.arch": {swarm, "host.arch"}, "node.platform.os": {swarm, "host.os"},
		"kubernetes.io/hostname": {kube, "host.name"}, "kubernetes.io/arch": {kube, "host.arch"}, "kubernetes.io/os": {kube, "host.os"},
	}
	if k, ok := known[s]; ok {
		return k[0], k[1]
	}
	for _, p := range [][2]string{{"node.labels.", swarm}, {"engine.labels.", swarm}, {"node.meta.", nomad}, {"meta.", nomad}, {"topology.kubernetes.io/", kube}} {
		if label, ok := strings.CutPrefix(s, p[0]); ok && label != "" {
			return p[1], label
		}
	}
	if strings.HasPrefix(s, "attr.") {
		return nomad, ""
	}
	return "", ""
}
