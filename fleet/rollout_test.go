package fleet

import (
	"encoding/json"
	"testing"
)

func TestAmount(t *testing.T) {
	for _, c := range []struct {
		json        string
		of          int
		floor, ceil int
	}{{`"1"`, 12, 1, 1}, {`"25%"`, 12, 3, 3}, {`"25%"`, 10, 2, 3}, {`"0%"`, 10, 0, 0}, {`"100%"`, 7, 7, 7}} {
		var a Amount
		if err := json.Unmarshal([]byte(c.json), &a); err != nil {
			t.Fatal(err)
		}
		if f, u := a.Floor(c.of), a.Ceil(c.of); f != c.floor || u != c.ceil {
			t.Errorf("%s of %d: got %d and %d, want %d and %d", c.json, c.of, f, u, c.floor, c.ceil)
		}
		if b, err := json.Marshal(a); err != nil || string(b) != c.json {
			t.Errorf("%s is written %s, %v", c.json, b, err)
		}
	}
	for _, bad := range []string{`""`, `"x"`, `"-1"`, `"%"`, `1`} {
		var a Amount
		if err := json.Unmarshal([]byte(bad), &a); err == nil {
			t.Errorf("%s: got %v, want an error", bad, a)
		}
	}
}

// A job and a workload are told apart by their addresses only: containers and records know the name alone.
func TestJobAddr(t *testing.T) {
	w := Workload{Name: "migrate"}
	if got := w.Addr(); got != "workload.migrate" {
		t.Errorf("got %s, want workload.migrate", got)
	}
	w.Job = &Job{}
	got, err := ParseAddr(string(w.Addr()))
	if err != nil || got.Kind() != KindJob || got.Name() != "migrate" {
		t.Errorf("got %q of kind %s, named %s, %v", got, got.Kind(), got.Name(), err)
	}
	r, ok := Addr(`job.migrate["eu"][2]`).Replica()
	if want := (ReplicaID{`migrate["eu"]`, 2}); !ok || r != want {
		t.Errorf("got %v, %v, want %v", r, ok, want)
	}
}

// A hook's container has a slot, an address and a name of its own, and its labels say so: whoever finds it knows what it is.
func TestHookIdentity(t *testing.T) {
	for _, k := range HookKinds() {
		i := Instance{Fleet: "id", FleetName: "shop", Replica: ReplicaID{`web["eu"]`, k.Slot()}, Generation: 7}
		if got, want := i.ContainerName(), "shop-web-eu-"+string(k)+"-g7"; got != want {
			t.Errorf("named %s, want %s", got, want)
		}
		if r, ok := i.Replica.Addr().Replica(); !ok || r != i.Replica {
			t.Errorf("%s is read as %v, %v", i.Replica.Addr(), r, ok)
		}
		labels := i.Labels(Spec{}, "op")
		id, err := ParseLabels(labels)
		if got, ok := id.Replica.Slot.Hook(); err != nil || !ok || got != k || labels[LabelHook] != string(k) {
			t.Errorf("labels %v are read as %v, %v", labels, id, err)
		}
	}
	if k, ok := Slot(9999).Hook(); ok {
		t.Errorf("slot 9999 is a hook's: %s", k)
	}
	w := Workload{Spec: Spec{Command: []string{"serve"}, Restart: RestartAlways, Ports: []Port{{Name: "http"}}}, Hooks: []Hook{{Kind: HookPreDeploy, Command: []string{"migrate"}}}}
	if s := w.HookSpec(w.Hook(HookPreDeploy)); s.Command[0] != "migrate" || s.Restart != RestartNo || s.Ports != nil || w.Spec.Command[0] != "serve" {
		t.Errorf("got %+v of %+v", s, w.Spec)
	}
}
