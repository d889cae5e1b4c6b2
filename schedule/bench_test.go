package schedule

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// mixed is a fleet of hosts in ten zones of many racks, and workloads of all kinds: constrained, spread over zones and
// racks, packed, wishing for disks or each other, with fixed and automatic ports, at most so many a host. Everything fits.
func mixed(tb testing.TB, hosts, workloads, replicas int) Input {
	var t strings.Builder
	for i := range hosts {
		fmt.Fprintf(&t, "host h%05d zone=z%d rack=r%d disk=%s serial=%d cpu=64 memory=262144 arch=%s version=2%d.0.1\n",
			i, i%10, i%97, []string{"ssd", "hdd"}[i%3/2], i, []string{"amd64", "amd64", "arm64"}[i%7/3], i%9)
	}
	each := replicas / workloads
	for i := range workloads {
		words := []string{"memory=1024 cpu=0.2", "memory=512 cpu=0.1 spread=zone", "memory=2048 cpu=0.4 spread=zone constraint=disk:=:ssd",
			"memory=700 cpu=0.3 binpack", "memory=256 spread=zone,rack port=http:auto", "memory=1500 cpu=0.2 max=2 port=a:auto port=b:auto",
			"cpu=0.5 memory=900 constraint=host.engine_version:version:>=_21 constraint=zone:not_in:z1,z2 affinity=50:disk:=:hdd",
			"memory=800 arch=amd64 spread=zone affinity=30:workload.w0001", "memory=640 wants=disk:ssd spread=rack max=3"}[i%9]
		if each <= hosts/4 && i%11 == 10 {
			words += fmt.Sprintf(" port=fixed:%d", 1000+i)
		}
		fmt.Fprintf(&t, "workload w%04d %d %s\n", i, each, words)
	}
	return parse(tb, t.String())
}

// cpu is the processor time that the process has used, the collector's included: on a machine that is shared, it says more
// than the clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano())
}

func stand(b *testing.B, in Input) *Standing {
	s := Stand(in)
	for _, r := range s.Assignment().Refused {
		b.Fatal(Explain(r))
	}
	return s
}

// BenchmarkPlace places fleets from nothing.
func BenchmarkPlace(b *testing.B) {
	for _, c := range []struct{ hosts, workloads, replicas int }{
		{1000, 200, 100_000}, {10_000, 200, 62_500}, {10_000, 200, 125_000}, {10_000, 200, 250_000}, {10_000, 200, 500_000},
		{10_000, 200, 1_000_000}, {100, 1000, 10_000}, {1000, 1, 10_000},
	} {
		b.Run(fmt.Sprintf("hosts=%d/workloads=%d/replicas=%d", c.hosts, c.workloads, c.replicas), func(b *testing.B) {
			in := mixed(b, c.hosts, c.workloads, c.replicas)
			b.ReportAllocs()
			n, before := 0, cpu(b)
			for b.Loop() {
				n += len(Place(in).Placed)
			}
			b.ReportMetric(float64((cpu(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "placements/s")
		})
	}
}

// BenchmarkPlaceAgain places what stands: nothing moves.
func BenchmarkPlaceAgain(b *testing.B) {
	for _, c := range []struct{ hosts, replicas int }{{1000, 100_000}, {10_000, 1_000_000}} {
		b.Run(fmt.Sprintf("hosts=%d/replicas=%d", c.hosts, c.replicas), func(b *testing.B) {
			in := mixed(b, c.hosts, 200, c.replicas)
			in = standing(in, stand(b, in).Assignment())
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				Place(in)
			}
			b.ReportMetric(float64((cpu(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(c.replicas)*float64(b.N)/b.Elapsed().Seconds(), "placements/s")
		})
	}
}

// BenchmarkLose asks what follows from the loss of one host: the first question of a placement, and any later one.
func BenchmarkLose(b *testing.B) {
	for _, c := range []struct{ hosts, replicas int }{{1000, 100_000}, {10_000, 1_000_000}} {
		in := mixed(b, c.hosts, 200, c.replicas)
		name := fmt.Sprintf("hosts=%d/replicas=%d", c.hosts, c.replicas)
		b.Run("first/"+name, func(b *testing.B) {
			b.ReportAllocs()
			moved, used := 0, time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				s := stand(b, in)
				before := cpu(b)
				b.StartTimer()
				moved += len(s.Lose([]fleet.HostName{"h00500"}).Placed)
				used += cpu(b) - before
			}
			b.ReportMetric(used.Seconds()*1000/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(moved)/float64(b.N), "moved/op")
		})
		b.Run("later/"+name, func(b *testing.B) {
			s := stand(b, in)
			for i := range 50 { // every workload's hosts are ordered when it is first asked about
				s.Lose([]fleet.HostName{fleet.HostName(fmt.Sprintf("h%05d", i))})
			}
			b.ReportAllocs()
			moved, i, before := 0, 0, cpu(b)
			for b.Loop() {
				i = (i + 7) % c.hosts
				moved += len(s.Lose([]fleet.HostName{fleet.HostName(fmt.Sprintf("h%05d", i))}).Placed)
			}
			b.ReportMetric((cpu(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(moved)/float64(b.N), "moved/op")
		})
	}
}

// BenchmarkEveryHost tries the loss of every host in turn.
func BenchmarkEveryHost(b *testing.B) {
	for _, c := range []struct{ hosts, workloads, replicas int }{{1000, 100, 20_000}, {1000, 1000, 20_000}} {
		b.Run(fmt.Sprintf("hosts=%d/workloads=%d/replicas=%d", c.hosts, c.workloads, c.replicas), func(b *testing.B) {
			in := mixed(b, c.hosts, c.workloads, c.replicas)
			used := time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				s := stand(b, in)
				before := cpu(b)
				b.StartTimer()
				s.ready()
				for _, h := range s.pass.hosts {
					s.loss([]*host{h})
				}
				used += cpu(b) - before
			}
			b.ReportMetric(used.Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkSurvival tries every host, and every one of the 107 values of the spread labels too.
func BenchmarkSurvival(b *testing.B) {
	for _, c := range []struct{ hosts, workloads, replicas int }{{1000, 100, 20_000}, {1000, 1000, 20_000}} {
		b.Run(fmt.Sprintf("hosts=%d/workloads=%d/replicas=%d", c.hosts, c.workloads, c.replicas), func(b *testing.B) {
			in := mixed(b, c.hosts, c.workloads, c.replicas)
			b.ReportAllocs()
			losses, used := 0, time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				s := stand(b, in)
				before := cpu(b)
				b.StartTimer()
				losses += len(s.Survival().Losses)
				used += cpu(b) - before
			}
			b.ReportMetric(used.Seconds()*1000/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(losses)/float64(b.N), "losses/op")
		})
	}
}
