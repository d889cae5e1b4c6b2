package schedule

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// mix says what a random fleet has.
type mix struct {
	rich      bool // constraints, affinities, strategies, devices, facts
	ranks     bool // priorities
	losses    bool // lost hosts
	exclusive bool
	ties      bool // volumes, frozen workloads, what stands
}

var everything = mix{rich: true, ranks: true, losses: true, exclusive: true, ties: true}

// drawMix draws a fleet as fixture lines.
func drawMix(t *rapid.T, m mix) string {
	var lines []string
	for i := range rapid.IntRange(1, 6).Draw(t, "hosts") {
		words := []string{
			fmt.Sprintf("host h%d", i),
			maybe(t, "zone=a", "zone=b", "zone=c"), maybe(t, "disk=ssd", "disk=hdd"), maybe(t, "rack=1", "rack=2"),
			maybe(t, "cpu=1", "cpu=4"), maybe(t, "memory=1000", "memory=500", "memory=300"), maybe(t, "gpus=1"),
			maybe(t, "reserve.memory=200"), maybe(t, "arch=arm64", "arch=amd64"),
			maybe(t, "taken=80", "taken=80@10.0.0.1", "taken=20000"), maybe(t, "cordon", "drain"), maybe(t, "unknown"),
		}
		if m.rich {
			words = append(words, maybe(t, "size=5", "size=16", "size=big"), maybe(t, "os=linux"),
				maybe(t, "version=20.10.5", "version=24.0"), maybe(t, "devices=/dev/fuse", "devices=", "devices=/dev/kvm,/dev/fuse"))
		}
		if m.losses {
			words = append(words, maybe(t, "lost"))
		}
		lines = append(lines, strings.Join(words, " "))
	}
	lines = append(lines, "volume one", "volume each per_replica")
	for i := range rapid.IntRange(1, 6).Draw(t, "workloads") {
		lines = append(lines, drawMixWorkload(t, m, i))
	}
	if m.ties {
		lines = append(lines, drawMixCurrent(t)...)
	}
	return strings.Join(lines, "\n")
}

func drawMixWorkload(t *rapid.T, m mix, i int) string {
	n := rapid.SampledFrom([]string{"1", "2", "3", "5", "8", "0", "global"}).Draw(t, "replicas")
	words := []string{
		fmt.Sprintf("workload w%d %s", i, n),
		maybe(t, "memory=100", "memory=250", "memory=400"), maybe(t, "cpu=0.3", "cpu=1"), maybe(t, "gpus=1"),
		maybe(t, "port=a:80", "port=a:80@10.0.0.1", "port=a:20001"), maybe(t, "port=b:auto", "port=b:auto port=c:auto"),
		maybe(t, "wants=disk:ssd", "hosts=h0,h2"), maybe(t, "spread=zone", "spread=zone,rack"), maybe(t, "max=1", "max=2"),
		maybe(t, "arch=amd64"),
	}
	if m.ties {
		words = append(words, maybe(t, "mount=one", "mount=each"), maybe(t, "frozen", ""))
	}
	if m.rich {
		words = append(words,
			maybe(t, "constraint=zone:in:a,b", "constraint=zone:not_in:a", "constraint=zone:!=:b", "constraint=disk:=:ssd"),
			maybe(t, "constraint=size:<:16", "constraint=size:>=:5", "constraint=size:<=:9", "constraint=size:>:5"),
			maybe(t, "constraint=rack:is_set:true", "constraint=rack:is_set:false", "constraint=host.name:regexp:^h[0-3]"),
			maybe(t, "constraint=host.engine_version:version:>=_21,_<_25", "constraint=host.os:=:linux", "constraint=host.arch:!=:arm64"),
			maybe(t, "affinity=50:disk:=:ssd", "affinity=-30:zone:in:a,c", "affinity=10:size:>:7"),
			maybe(t, "affinity=50:workload.w0", "affinity=-50:workload.w3", "affinity=20:workload.w9"),
			maybe(t, "binpack"), maybe(t, "device=/dev/fuse"),
		)
	}
	if m.ranks {
		words = append(words, maybe(t, "priority=80", "priority=20", "priority=60"))
	}
	if m.exclusive {
		words = append(words, maybe(t, "exclusive"))
	}
	return strings.Join(words, " ")
}

// drawMixCurrent draws what stands now, possible or not.
func drawMixCurrent(t *rapid.T) []string {
	var out []string
	if !rapid.Bool().Draw(t, "something stands") {
		return nil
	}
	for w := range 6 {
		for s := range rapid.IntRange(0, 4).Draw(t, "standing") {
			out = append(out, strings.Join([]string{
				fmt.Sprintf("now w%d[%d] h%d", w, s, rapid.IntRange(0, 7).Draw(t, "host")),
				maybe(t, "b=20000", "b=20001", "b=81"), maybe(t, "a=80"), maybe(t, "holds"), maybe(t, "memory=50"), maybe(t, "unhealthy"),
			}, " "))
		}
	}
	return append(out, maybe(t, "at one h1"), maybe(t, "at each w0[0] h1"), maybe(t, "frozen w5"))
}
