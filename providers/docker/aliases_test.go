package docker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
)

func TestAliases(t *testing.T) {
	for _, c := range []struct {
		slot fleet.Slot
		want []string
	}{{2, []string{"api-eu", "api-eu-2"}}, {fleet.HookPreDeploy.Slot(), []string{"api-eu-pre_deploy"}}} {
		if diff := cmp.Diff(c.want, aliases(fleet.ReplicaID{Workload: `api["eu"]`, Slot: c.slot})); diff != "" {
			t.Errorf("slot %s (-want +got):\n%s", c.slot, diff)
		}
	}
}
