package plan

import (
	"github.com/stowage-run/stowage/fleet"
)

// hostPort is a port of a host. The address it is bound to is left out: two addresses may be one interface's.
type hostPort struct {
	protocol string
	port     uint16
}

// frees notes that a step sets a container's ports free.
func (m *maker) frees(h *host, c *fleet.Container, step int) {
	for _, p := range c.HostPorts {
		if h.freed == nil {
			h.freed = map[hostPort]int{}
		}
		h.freed[hostPort{p.Protocol, p.Host}] = step
	}
}

// freePorts makes every run wait for the stop of what has its port now.
func (m *maker) freePorts() {
	for _, n := range m.runs {
		st := &m.list[n]
		h := m.host(st.Host)
		if len(h.freed) == 0 || len(st.Instance.HostPorts) == 0 {
			continue
		}
		w := m.byName[st.Instance.Replica.Workload].want
		for _, p := range w.Spec.Ports {
			if stop, ok := h.freed[hostPort{p.Protocol, st.Instance.HostPorts[p.Name]}]; ok {
				m.need(n, stop)
			}
		}
	}
}
