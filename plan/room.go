package plan

import "github.com/stowage-run/stowage/fleet"

// freeRoom makes what comes to a host that cannot hold it beside what is there wait for what leaves, as when something of
// higher priority displaces others. It is a wish: what two hosts swap would wait for each other.
func (m *maker) freeRoom() {
	coming := map[fleet.HostName][]int{}
	for _, n := range m.runs {
		st := &m.list[n]
		if s := m.slotOf(st.Instance.Replica); s.action != Replace && len(m.host(st.Host).leaves) > 0 {
			coming[st.Host] = append(coming[st.Host], n)
		}
	}
	for _, l := range m.in.Assignment.Loads {
		runs := coming[l.Host]
		sum := l.Before
		for _, n := range runs {
			sum = sum.Add(m.byName[m.list[n].Instance.Replica.Workload].want.Reserve)
		}
		if len(runs) == 0 || !exceeds(sum, l.Capacity) {
			continue
		}
		left := m.join(fleet.HostAddr(l.Host), "room is made on "+string(l.Host), m.host(l.Host).leaves)
		for _, n := range runs {
			m.prefer(comfort, n, left)
		}
	}
}

// exceeds reports whether a host of a capacity has too little for a load. A zero CPU or memory is not known to be bounded.
func exceeds(load, capacity fleet.Resources) bool {
	return capacity.CPU > 0 && load.CPU > capacity.CPU || capacity.Memory > 0 && load.Memory > capacity.Memory ||
		load.GPUs > capacity.GPUs
}
