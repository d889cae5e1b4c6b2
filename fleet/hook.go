package fleet

// A hook's container is one of ours like any other: it has a slot, which is none of a replica's, so that its name, its labels,
// its record and its intents are those of a replica, and whoever finds one that was left over knows what it is. Its generation
// is the number of the release that it runs in: `shop-web-pre_deploy-g7`.

// hookSlots is the first of the slots of hooks: far above the number of replicas that anything could have, and within the 31 bits
// of a slot.
const hookSlots Slot = 1 << 30

// LabelHook is on the containers of hooks: HookKind.
const LabelHook = "stowage.hook"

// HookKinds returns the kinds in the order in which they run, which is that of their slots.
func HookKinds() [3]HookKind { return [3]HookKind{HookPreDeploy, HookPostDeploy, HookOnFailure} }

// Slot is the slot of a workload's hook of this kind.
func (k HookKind) Slot() Slot {
	for i, kind := range HookKinds() {
		if k == kind {
			return hookSlots + Slot(i)
		}
	}
	return -1
}

// Hook returns the kind of hook whose slot this is; ok is false for that of a replica.
func (s Slot) Hook() (k HookKind, ok bool) {
	kinds := HookKinds()
	if s < hookSlots || s >= hookSlots+Slot(len(kinds)) {
		return "", false
	}
	return kinds[s-hookSlots], true
}

// Hook returns the workload's hook of a kind, or nil.
func (w *Workload) Hook(k HookKind) *Hook {
	for i := range w.Hooks {
		if w.Hooks[i].Kind == k {
			return &w.Hooks[i]
		}
	}
	return nil
}

// HookSpec is what a hook's container is made from: all that the workload's are, but the hook's command, no published ports, which
// its replicas have, and no start after its end.
func (w *Workload) HookSpec(h *Hook) Spec {
	s := w.Spec
	s.Entrypoint, s.Command, s.Ports, s.Restart = []string{}, h.Command, nil, RestartNo
	return s
}
