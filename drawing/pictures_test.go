package drawing

import (
	"fmt"

	"github.com/stowage-run/stowage/fleet"
)

// The pictures that the tests draw: made by rule, so that they are the same everywhere.

func one() Picture {
	return Picture{
		Title:    "quickstart, as it is",
		Subtitle: "release 1",
		Holds: []Hold{{Host: "local", Capacity: fleet.Resources{CPU: 4000, Memory: 8 * fleet.GiB}, Boxes: []Box{
			{Replica: "web[0]", Health: Healthy}, {Replica: "web[1]", Health: Healthy}, {Replica: "web[2]", Health: Starting},
		}}},
	}
}

func three() Picture {
	capacity := fleet.Resources{CPU: 4000, Memory: 8 * fleet.GiB}
	reserve := fleet.Resources{CPU: 250, Memory: 512 * fleet.MiB}
	return Picture{
		Title:    "shop, as planned",
		Subtitle: "Plan: 1 to move, 2 to add, 1 to change, 1 to destroy.",
		GroupBy:  "zone",
		Holds: []Hold{
			{Host: "web1", Address: "203.0.113.10", Group: "eu-a", Capacity: capacity, Reserve: reserve, Boxes: []Box{
				{Replica: "db[0]", Memory: 2 * fleet.GiB, CPU: 1000, Health: Healthy, Mark: Changing},
				{Replica: "web[0]", Memory: 512 * fleet.MiB, CPU: 250, Health: Healthy},
				{Replica: "web[3]", Memory: 512 * fleet.MiB, CPU: 250, Mark: New},
				{Replica: "cache[0]", Memory: 1 * fleet.GiB, CPU: 250, Health: Unhealthy},
				{Replica: "agent[0]"},
			}},
			{Host: "web2", Address: "203.0.113.11", Group: "eu-a", Capacity: capacity, Reserve: reserve, State: Drained, Boxes: []Box{
				{Replica: "web[1]", Memory: 512 * fleet.MiB, CPU: 250, Health: Healthy, Mark: Leaving, Other: "web3"},
				{Replica: "report[0]", Memory: 1536 * fleet.MiB, CPU: 500, Health: Stopped, Mark: Leaving},
				{Replica: "agent[1]", Health: Healthy},
			}},
			{Host: "web3", Address: "203.0.113.12", Group: "eu-b", Capacity: capacity, Reserve: reserve, Boxes: []Box{
				{Replica: "web[1]", Memory: 512 * fleet.MiB, CPU: 250, Mark: Arriving, Other: "web2"},
				{Replica: "web[2]", Memory: 512 * fleet.MiB, CPU: 250, Health: Healthy},
				{Replica: "checkout-api[12]", Memory: 768 * fleet.MiB, CPU: 250, Mark: New},
				{Replica: "agent[2]", Health: Healthy, Facts: []string{"port 9100"}},
			}},
		},
		Quay: []Box{{Replica: "search[0]", Memory: 12 * fleet.GiB, Mark: Waiting, Facts: []string{"3 hosts short of memory"}}},
	}
}

// many makes hosts in zones, with replicas and marks by rule.
func many(hosts, zones int) Picture {
	p := Picture{Title: fmt.Sprintf("fleet of %d", hosts), GroupBy: "zone"}
	sizes := []fleet.Bytes{256, 512, 1024, 2048, 700, 128, 0, 1500}
	for i := range hosts {
		h := Hold{Host: fmt.Sprintf("node-%03d", i), Group: fmt.Sprintf("eu-%c", 'a'+i%zones),
			Capacity: fleet.Resources{CPU: 8000, Memory: 16 * fleet.GiB}, Reserve: fleet.Resources{Memory: fleet.GiB}}
		switch i % 29 {
		case 3:
			h.State = Cordoned
		case 7:
			h.State = Drained
		case 11:
			h.State = Unreachable
		case 17:
			h.State = Lost
		case 23:
			h.State = Added
		}
		for k := range 3 + (i*7)%19 {
			n := i*31 + k*17
			b := Box{Replica: fmt.Sprintf("w%d[%d]", n%40, n), Memory: sizes[n%len(sizes)] * fleet.MiB, CPU: fleet.CPU(50 * (n % 9)), Health: Healthy}
			switch {
			case h.State == Added:
				b.Mark, b.Health = New, Unsaid
			case h.State == Drained || h.State == Lost:
				b.Mark, b.Other = Leaving, "node-000"
			case h.State == Unreachable:
				b.Health = Unknown
			case n%13 == 0:
				b.Mark, b.Other, b.Health = Arriving, "node-007", Unsaid
			case n%17 == 0:
				b.Mark = Changing
			case n%23 == 0:
				b.Health = Unhealthy
			case n%37 == 0:
				b.Health = Stopped
			}
			h.Boxes = append(h.Boxes, b)
		}
		p.Holds = append(p.Holds, h)
	}
	return p
}

// crowded is a host with sixty replicas beside an idle one and one that holds more than it has for now.
func crowded() Picture {
	p := Picture{Title: "crowded"}
	full := Hold{Host: "crowded", Capacity: fleet.Resources{CPU: 16000, Memory: 32 * fleet.GiB}, Reserve: fleet.Resources{Memory: fleet.GiB}}
	for i := range 60 {
		b := Box{Replica: fmt.Sprintf("worker[%d]", i), Memory: 256 * fleet.MiB, CPU: 100, Health: Healthy}
		if i < 3 {
			b = Box{Replica: fmt.Sprintf("database-primary[%d]", i), Memory: 4 * fleet.GiB, CPU: 2000, Health: Healthy}
		}
		if i%20 == 19 {
			b.Mark = New
		}
		full.Boxes = append(full.Boxes, b)
	}
	over := Hold{Host: "over", Capacity: fleet.Resources{Memory: 4 * fleet.GiB}}
	for i := range 6 {
		b := Box{Replica: fmt.Sprintf("api[%d]", i), Memory: fleet.GiB, Health: Healthy}
		if i > 3 {
			b.Mark = Leaving
			b.Other = "idle"
		}
		over.Boxes = append(over.Boxes, b)
	}
	open := Hold{Host: "no-capacity-said", Boxes: []Box{{Replica: "a[0]"}, {Replica: "a[1]", Memory: fleet.GiB}}}
	p.Holds = []Hold{full, over, {Host: "idle", Capacity: fleet.Resources{CPU: 2000, Memory: 4 * fleet.GiB}}, open}
	return p
}
