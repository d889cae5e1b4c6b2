package fleet

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAddr(t *testing.T) {
	for _, good := range []string{"host.web1", `host.edge["a b"]`, "workload.web", "workload.web[2]", `workload.api["a"][2]`, "workload.api[0][2]", "volume.data", "network.app"} {
		if got, err := ParseAddr(good); err != nil || string(got) != good {
			t.Errorf("ParseAddr(%q) = %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{"", "web", "web.", "pod.web", "workload.", "workload.web[", "workload.web[]", "workload.web[x]", "workload.web[-1]",
		"workload.web[1][2][3]", `workload.web["]`, "workload.we b", "workload.web[99999999999]", "host.-x"} {
		if got, err := ParseAddr(bad); err == nil {
			t.Errorf("ParseAddr(%q) = %q, want an error", bad, got)
		}
	}
}

func TestAddrReplica(t *testing.T) {
	for _, tt := range []struct {
		addr Addr
		want ReplicaID
		ok   bool
	}{
		{"workload.web[2]", ReplicaID{"web", 2}, true},
		{`workload.api["a"][10]`, ReplicaID{`api["a"]`, 10}, true},
		{"workload.web", ReplicaID{}, false},
		{`workload.api["a"]`, ReplicaID{}, false},
		{"host.edge[0]", ReplicaID{}, false},
	} {
		got, ok := tt.addr.Replica()
		if ok != tt.ok || got != tt.want {
			t.Errorf("%s.Replica() = %v, %v, want %v, %v", tt.addr, got, ok, tt.want, tt.ok)
		}
		if ok && got.Addr() != tt.addr {
			t.Errorf("%v.Addr() = %s, want %s", got, got.Addr(), tt.addr)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		a, b Addr
		want bool
	}{
		{"workload.web", "workload.web[2]", true}, {"workload.web", "workload.web", true}, {"workload.web", "workload.web2[0]", false},
		{"workload.web[1]", "workload.web[12]", false}, {`workload.api["a"]`, `workload.api["a"][0]`, true},
	} {
		if got := tt.a.Covers(tt.b); got != tt.want {
			t.Errorf("%s.Covers(%s) = %v", tt.a, tt.b, got)
		}
	}
}

func TestNames(t *testing.T) {
	r := ReplicaID{`api["eu-1"]`, 3}
	if got, want := ContainerName("shop", r, 2), "shop-api-eu-1-3-g2"; got != want {
		t.Errorf("ContainerName = %q, want %q", got, want)
	}
	for _, tt := range []struct {
		per  bool
		want string
	}{{false, "shop-data"}, {true, "shop-data-api-eu-1-3"}} {
		if got := VolumeOn("shop", Volume{Name: "data", PerReplica: tt.per}, r); got != tt.want {
			t.Errorf("VolumeOn(per replica: %v) = %q, want %q", tt.per, got, tt.want)
		}
	}
}

func TestLabelsReadBack(t *testing.T) {
	i := Instance{Fleet: "id", FleetName: "shop", Replica: ReplicaID{`api["a"]`, 1}, Generation: 4, Revision: "v1:ab", Release: 7}
	labels := i.Labels(Spec{Labels: map[string]string{"team": "x"}}, "op")
	got, err := ParseLabels(labels)
	if err != nil {
		t.Fatal(err)
	}
	want := Identity{Fleet: "id", Replica: i.Replica, Generation: 4, Revision: "v1:ab", Release: 7, Op: "op"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if labels["team"] != "x" {
		t.Error("the workload's own label is gone")
	}
	if _, err := ParseLabels(map[string]string{"team": "x"}); !errors.Is(err, ErrNotOurs) {
		t.Errorf("a stranger's labels: %v, want ErrNotOurs", err)
	}
	for _, l := range []string{LabelWorkload, LabelSlot, LabelGeneration, LabelRelease} {
		damaged := map[string]string{}
		for k, v := range labels {
			damaged[k] = v
		}
		delete(damaged, l)
		if _, err := ParseLabels(damaged); err == nil || errors.Is(err, ErrNotOurs) {
			t.Errorf("without %s: %v, want an error that says so", l, err)
		}
	}
}

// TestDigestStays pins the rule of revisions: a change of it would restart every container of every user.
func TestDigestStays(t *testing.T) {
	s := Spec{Image: Image{Ref: "web:1", Digest: "sha256:aa"}, Env: map[string]Text{"A": {Plain: "b"}}, Restart: RestartAlways}
	const want = "v1:7dce500c0d97f588b35d3f111aabc8f2dc265bb93b0bf4fa1d48314fe08236d6"
	if got := string(s.Digest()); got != want {
		t.Errorf("Digest = %s, want %s", got, want)
	}
	other := s
	other.Image.ID = "sha256:bb" // the same image, as one more host names it
	if other.Digest() != s.Digest() {
		t.Error("an engine's own id changed the revision of an image that is pinned by digest")
	}
	other.Env = map[string]Text{"A": {Plain: "c"}}
	if other.Digest() == s.Digest() {
		t.Error("another environment has the same revision")
	}
}

func TestSealDependsOnTheKey(t *testing.T) {
	a, b := Seal([]byte("k1"), "secret"), Seal([]byte("k2"), "secret")
	if a == b || a != Seal([]byte("k1"), "secret") {
		t.Errorf("Seal: %s and %s", a, b)
	}
	if got, ok := (Vault{a: "secret"}).Open(Text{Sealed: a}); !ok || got != "secret" {
		t.Errorf("Open = %q, %v", got, ok)
	}
	if _, ok := (Vault{}).Open(Text{Sealed: a}); ok {
		t.Error("an empty vault opened a seal")
	}
}

func TestQuantities(t *testing.T) {
	for b, want := range map[Bytes]string{0: "0B", 1: "1B", 1536: "1536B", 512 * MiB: "512MiB", GiB: "1GiB", 3 * KiB: "3KiB"} {
		if got := b.String(); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", int64(b), got, want)
		}
	}
	for c, want := range map[CPU]string{250: "0.25", 2000: "2", 1: "0.001"} {
		if got := c.String(); got != want {
			t.Errorf("CPU(%d) = %q, want %q", int64(c), got, want)
		}
	}
}

func TestImageMatches(t *testing.T) {
	seen := ObservedImage{ID: "sha256:id", Digests: []string{"sha256:d1", "sha256:d2"}}
	for _, tt := range []struct {
		image Image
		want  bool
	}{{Image{ID: "sha256:id"}, true}, {Image{Digest: "sha256:d2"}, true}, {Image{ID: "sha256:x", Digest: "sha256:d3"}, false}, {Image{}, false}} {
		if got := seen.Matches(tt.image); got != tt.want {
			t.Errorf("Matches(%+v) = %v", tt.image, got)
		}
	}
}
