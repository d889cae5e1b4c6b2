package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
)

func TestParseOffer(t *testing.T) {
	got, arch, err := ParseOffer("cpu=4, memory=8GiB,gpus=1,arch=arm64,zone=eu-c")
	if err != nil {
		t.Fatal(err)
	}
	want := fleet.Host{Capacity: fleet.Resources{CPU: 4000, Memory: 8 * fleet.GiB, GPUs: 1}, Labels: map[string]string{"zone": "eu-c"}}
	if d := cmp.Diff(want, got); d != "" || arch != "arm64" {
		t.Errorf("arch %q, host (-want +got):\n%s", arch, d)
	}
	for _, bad := range []string{"", "cpu", "cpu=", "=4", "cpu=x", "memory=8", "memory=8GB", "gpus=-1", "cpu=1,cpu=2"} {
		if h, _, err := ParseOffer(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, h)
		}
	}
}
