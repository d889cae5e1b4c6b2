package docker_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// A network that is made by several requests at once, as by a killed process and the next one, is there once.
func TestTwinNetworks(t *testing.T) {
	h, _ := shared.hosts(t)
	e := overSocket(t, h)
	const owner = fleet.ID("6f1f2a52-3f0e-4f5c-9a43-5a0f3f1f7a11")
	for range 3 {
		name := "twins-app"
		r := providers.NetworkRequest{Name: name, Driver: "bridge", Labels: fleet.ObjectLabels(owner, "network.app")}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := e.CreateNetwork(t.Context(), r); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		list := func() int {
			out, err := h.Docker(t.Context(), "network", "ls", "-q", "--filter", "name="+name)
			if err != nil {
				t.Fatal(err)
			}
			return len(strings.Fields(out))
		}
		if got := list(); got != 1 {
			t.Errorf("got %d networks, want 1", got)
		}
		if err := e.RemoveNetwork(t.Context(), owner, name); err != nil {
			t.Error(err)
		}
		if got := list(); got != 0 {
			t.Errorf("after the removal: got %d networks, want none", got)
		}
	}
}
