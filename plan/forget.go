package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// forgetHosts drops the record of hosts on which nothing of ours is left: those that are no longer declared and,
// when everything is destroyed, all. Only a host that answers can say that nothing is left: a replica that was moved
// away from a silent one is still there, and when a run is cut off not even a debt tells.
func (m *maker) forgetHosts() {
	if !m.sel.everything() {
		return
	}
	last := map[fleet.HostName][]int{}
	for i := range m.list {
		if h := m.list[i].Host; h != "" {
			last[h] = append(last[h], i)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(m.hosts)) {
		h := m.hosts[n]
		if !h.recorded || h.declared && m.opt.Mode != Destroy || h.stays || len(h.owed) > 0 {
			continue
		}
		if !h.known() {
			m.unforgotten(h)
			continue
		}
		m.add(Step{
			Kind: KindRecord, Host: n, Addr: fleet.HostAddr(n), Reason: "nothing of this fleet is left on it",
			Record: Record{DeleteHost: n},
		}, last[n]...)
	}
}

// unforgotten tells of a host that is kept in the record for want of an answer, though nothing is recorded on it.
func (m *maker) unforgotten(h *host) {
	if h.declared {
		return
	}
	m.warn(diag.Diagnostic{
		Code:    diag.CodeUnreachable,
		Summary: "A host that is no longer declared does not answer",
		Detail:  fmt.Sprintf("%s is not in the configuration, and nothing is recorded on it, but only the host itself could say that no container of ours is left there.", fleet.HostAddr(h.Name)),
		Remedy:  fmt.Sprintf("stowage state rm %s   if the machine is gone for good", fleet.HostAddr(h.Name)),
	})
}
