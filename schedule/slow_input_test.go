package schedule

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// mix says what a random fleet may have.
type mix struct {
	rich   bool // constraints, affinities, strategies, devices, facts
	ranks  bool // priorities, and too little room
	losses bool // lost hosts, exclusive workloads
	ties   bool // volumes, frozen workloads, what stands
}

var everything = mix{rich: true, ranks: true, losses: true, ties: true}

// drawer draws fleets as fixture lines. Of all that a fleet may have, each has only some: with every filter at work at
// once nothing is ever placed.
type drawer struct {
	*rapid.T
	mix
	parts map[string]bool
}

func drawMix(t *rapid.T, m mix) string {
	d := drawer{t, m, map[string]bool{}}
	var lines []string
	hosts := rapid.IntRange(1, 6).Draw(t, "hosts")
	for i := range hosts {
		lines = append(lines, fmt.Sprintf("host h%d %s", i, d.host()))
	}
	lines = append(lines, "volume one", "volume each per_replica")
	for i := range rapid.IntRange(1, 6).Draw(t, "workloads") {
		n := rapid.SampledFrom([]string{"1", "2", "3", "5", "8", "0", "global"}).Draw(t, "replicas")
		lines = append(lines, fmt.Sprintf("workload w%d %s %s", i, n, d.workload()))
	}
	if m.ties {
		lines = append(lines, d.current(hosts)...)
	}
	return strings.Join(lines, "\n")
}

// some draws one of the words now and then, if the fleet has that part at all.
func (d drawer) some(part string, words ...string) string {
	has, drawn := d.parts[part]
	if !drawn {
		has = rapid.IntRange(0, 2).Draw(d.T, part) == 1
		d.parts[part] = has
	}
	if !has {
		return ""
	}
	return maybe(d.T, words...)
}

func (d drawer) host() string {
	words := []string{
		d.some("labels", "zone=a", "zone=b", "zone=c"), d.some("labels", "disk=ssd", "disk=hdd"), d.some("labels", "rack=1", "rack=2"),
		d.some("room", "cpu=1", "cpu=4"), d.some("room", "memory=1000", "memory=500", "memory=300"), d.some("gpus", "gpus=1"),
		d.some("room", "reserve.memory=200"), d.some("arch", "arch=arm64", "arch=amd64"),
		d.some("ports", "taken=80", "taken=80@10.0.0.1", "taken=20000"), d.some("away", "cordon", "drain"), d.some("away", "unknown"),
	}
	if d.rich {
		words = append(words, d.some("labels", "size=5", "size=16", "size=big"), d.some("facts", "os=linux"),
			d.some("facts", "version=20.10.5", "version=24.0"), d.some("devices", "devices=/dev/fuse", "devices=", "devices=/dev/kvm,/dev/fuse"))
	}
	if d.ranks {
		words = append(words, rapid.SampledFrom([]string{"memory=500", "memory=300", "memory=800", ""}).Draw(d.T, "memory"))
	}
	if d.losses {
		words = append(words, d.some("lost", "lost"))
	}
	return strings.Join(words, " ")
}

func (d drawer) workload() string {
	words := []string{
		d.some("room", "memory=100", "memory=250", "memory=400"), d.some("room", "cpu=0.3", "cpu=1"), d.some("gpus", "gpus=1"),
		d.some("ports", "port=a:80", "port=a:80@10.0.0.1", "port=a:20001"), d.some("auto", "port=b:auto", "port=b:auto port=c:auto"),
		d.some("wants", "wants=disk:ssd", "hosts=h0,h2"), d.some("labels", "spread=zone", "spread=zone,rack"), d.some("max", "max=1", "max=2"),
		d.some("arch", "arch=amd64"),
	}
	if d.ties {
		words = append(words, d.some("volumes", "mount=one", "mount=each"), d.some("frozen", "frozen"))
	}
	if d.rich {
		words = append(words,
			d.some("in", "constraint=zone:in:a,b", "constraint=zone:not_in:a", "constraint=zone:!=:b", "constraint=disk:=:ssd"),
			d.some("order", "constraint=size:<:16", "constraint=size:>=:5", "constraint=size:<=:9", "constraint=size:>:5"),
			d.some("set", "constraint=rack:is_set:true", "constraint=rack:is_set:false", "constraint=host.name:regexp:^h[0-3]"),
			d.some("facts", "constraint=host.engine_version:version:>=_21,_<_25", "constraint=host.os:=:linux", "constraint=host.arch:!=:arm64"),
			d.some("likes", "affinity=50:disk:=:ssd", "affinity=-30:zone:in:a,c", "affinity=10:size:>:7"),
			d.some("company", "affinity=50:workload.w0", "affinity=-50:workload.w3", "affinity=20:workload.w9"),
			d.some("binpack", "binpack"), d.some("devices", "device=/dev/fuse"),
		)
	}
	if d.ranks {
		words = append(words, maybe(d.T, "priority=80", "priority=20", "priority=60"),
			rapid.SampledFrom([]string{"memory=100", "memory=250", "memory=150", "memory=400", ""}).Draw(d.T, "memory"))
	}
	if d.losses {
		words = append(words, d.some("lost", "exclusive"))
	}
	return strings.Join(words, " ")
}

// current draws what stands now: mostly possible.
func (d drawer) current(hosts int) []string {
	var out []string
	if !rapid.Bool().Draw(d.T, "something stands") {
		return nil
	}
	beyond := hosts - 1
	if d.some("undeclared", "yes") != "" {
		beyond += 2
	}
	for w := range 6 {
		for s := range rapid.IntRange(0, 4).Draw(d.T, "standing") {
			out = append(out, strings.Join([]string{
				fmt.Sprintf("now w%d[%d] h%d", w, s, rapid.IntRange(0, beyond).Draw(d.T, "host")),
				d.some("auto", "b=20000", "b=20001", "b=81"), d.some("ports", "a=80"), d.some("volumes", "holds"),
				d.some("grown", "memory=50"), d.some("sick", "unhealthy"),
			}, " "))
		}
	}
	return append(out, d.some("volumes", "at one h1"), d.some("volumes", "at each w0[0] h1"), d.some("frozen", "frozen w5"))
}

// drawCrowd draws full hosts and something of higher priority that wants in.
func drawCrowd(t *rapid.T) string {
	var lines []string
	hosts := rapid.IntRange(2, 4).Draw(t, "hosts")
	for i := range hosts {
		lines = append(lines, fmt.Sprintf("host h%d memory=%d cpu=%d %s", i, rapid.SampledFrom([]int{300, 400, 500}).Draw(t, "memory"),
			rapid.IntRange(2, 4).Draw(t, "cpu"), maybe(t, "disk=ssd")))
	}
	for w := range 5 {
		lines = append(lines, fmt.Sprintf("workload w%d 3 priority=%d memory=%d cpu=%s %s", w, rapid.SampledFrom([]int{20, 30, 40}).Draw(t, "priority"),
			rapid.SampledFrom([]int{50, 100, 150, 200}).Draw(t, "memory"), rapid.SampledFrom([]string{"0", "0.5", "1"}).Draw(t, "cpu"),
			maybe(t, "port=a:80", "exclusive")))
		for slot := range 3 {
			lines = append(lines, fmt.Sprintf("now w%d[%d] h%d", w, slot, rapid.IntRange(0, hosts-1).Draw(t, "at")))
		}
	}
	lines = append(lines, fmt.Sprintf("workload x %d priority=80 memory=%d cpu=1 %s", rapid.IntRange(1, 3).Draw(t, "replicas"),
		rapid.SampledFrom([]int{200, 300, 400}).Draw(t, "memory"), maybe(t, "port=a:80", "affinity=10:disk:=:ssd", "binpack")))
	return strings.Join(lines, "\n")
}
