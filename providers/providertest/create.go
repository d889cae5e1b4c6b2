package providertest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

func testCreate(t *testing.T, b *bench) {
	id := b.created(t)
	c := b.inspect(t, id)
	if c.ID != id || c.Name != string(b.name)+"-web-0-g1" || c.Phase != fleet.PhaseCreated {
		t.Errorf("got %s %s %s", c.ID, c.Name, c.Phase)
	}
	if c.ImageID != b.Image.ID {
		t.Errorf("image: got %s, want %s", c.ImageID, b.Image.ID)
	}
	if c.Created.IsZero() {
		t.Error("it was never created")
	}
	if !c.Started.IsZero() {
		t.Errorf("it was started at %s", c.Started)
	}
	byName, err := b.Engine.FindName(b.ctx, c.Name)
	ok(t, "find", err)
	if d := cmp.Diff(c, byName); d != "" {
		t.Errorf("by name (-by id +by name):\n%s", d)
	}
	_, err = b.Engine.FindName(b.ctx, id[:12])
	want(t, "the beginning of an id is no name", err, providers.ErrNotFound)
}

func testAdopt(t *testing.T, b *bench) {
	file := fleet.File{Path: "/etc/f", Content: fleet.Text{Plain: "one"}, Mode: 0o644}
	id := b.created(t, func(r *providers.CreateRequest) { r.Spec.Files = []fleet.File{file} })
	// Another op and release: what was sent again by a later run.
	file.Content.Plain = "two"
	again := b.created(t, func(r *providers.CreateRequest) {
		r.Spec.Files, r.Op, r.Instance.Release = []fleet.File{file}, "ffffffff-0000-4000-8000-000000000000", 2
	})
	if again != id {
		t.Errorf("got %s, want the first one's %s", again, id)
	}
	if n := len(b.observe(t).Containers); n != 1 {
		t.Errorf("%d containers, want 1", n)
	}
	ok(t, "start", b.Engine.Start(b.ctx, id))
	if got := b.output(t, id, "cat", "/etc/f"); got != "two" {
		t.Errorf("file: got %q, want it written again", got)
	}
	if again := b.created(t); again != id {
		t.Errorf("of a running one: got %s, want %s", again, id)
	}
}

func testNameTaken(t *testing.T, b *bench) {
	id := b.stranger().created(t)
	_, err := b.Engine.Create(b.ctx, b.request())
	want(t, "by another fleet of the same name", err, providers.ErrNameTaken)
	if got := b.inspect(t, id).Identity.Fleet; got != b.stranger().fleet {
		t.Errorf("the stranger's container is now of fleet %s", got)
	}
	b.created(t, slot(1))
	_, err = b.Engine.Create(b.ctx, b.request(slot(1), func(r *providers.CreateRequest) { r.Instance.Revision = "v1:ffff" }))
	want(t, "by another revision", err, providers.ErrNameTaken)
}

func testRefusedCreate(t *testing.T, b *bench) {
	sealed := fleet.Text{Sealed: "hmac-sha256:00"}
	for _, c := range []struct {
		name string
		edit func(*providers.CreateRequest)
		want error
	}{
		{"no image", func(r *providers.CreateRequest) { r.Spec.Image = fleet.Image{Ref: "stowage.invalid/none:1"} }, providers.ErrImageNotFound},
		{"no image of the id", func(r *providers.CreateRequest) {
			r.Spec.Image = fleet.Image{ID: "sha256:" + strings.Repeat("0", 64)}
		}, providers.ErrImageNotFound},
		{"no secret in the environment", func(r *providers.CreateRequest) { r.Spec.Env = map[string]fleet.Text{"A": sealed} }, providers.ErrSecret},
		{"no secret in a file", func(r *providers.CreateRequest) {
			r.Spec.Files = []fleet.File{{Path: "/f", Content: sealed, Mode: 0o600}}
		}, providers.ErrSecret},
	} {
		_, err := b.Engine.Create(b.ctx, b.request(c.edit))
		want(t, c.name, err, c.want)
		if errors.Is(err, providers.ErrUnknown) {
			t.Errorf("%s: the outcome is known", c.name)
		}
		if n := len(b.observe(t).Containers); n != 0 {
			t.Fatalf("%s: it left %d containers", c.name, n)
		}
	}
}

func testLabels(t *testing.T, b *bench) {
	r := b.request(func(r *providers.CreateRequest) {
		r.Instance.Replica = fleet.ReplicaID{Workload: `api["eu-1"]`, Slot: 3}
		r.Instance.Generation, r.Instance.Release = 7, 12
		r.Spec.Labels = map[string]string{"team": "shop", "ünïcode": "日本 \"quoted\"", "empty": ""}
	})
	id, err := b.Engine.Create(b.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	c := b.inspect(t, id)
	if want := string(b.name) + "-api-eu-1-3-g7"; c.Name != want {
		t.Errorf("name: got %s, want %s", c.Name, want)
	}
	identity := fleet.Identity{
		Fleet: b.fleet, Replica: r.Instance.Replica, Generation: 7, Revision: r.Instance.Revision, Release: 12, Op: r.Op,
	}
	if d := cmp.Diff(identity, c.Identity); d != "" {
		t.Errorf("identity (-want +got):\n%s", d)
	}
	if d := cmp.Diff(r.Instance.Labels(r.Spec, r.Op), c.Labels); d != "" {
		t.Errorf("labels (-want +got):\n%s", d)
	}
	seen := b.observe(t).Containers
	if d := cmp.Diff([]fleet.Container{c}, seen); d != "" {
		t.Errorf("observed (-inspected +observed):\n%s", d)
	}
}

func testEnvironment(t *testing.T, b *bench) {
	secret := fleet.Text{Sealed: fleet.Seal([]byte("k"), "hunter2 $HOME")}
	id := b.started(t, func(r *providers.CreateRequest) {
		r.Spec.Env = map[string]fleet.Text{"PLAIN": {Plain: "a=b\nc"}, "SECRET": secret, "EMPTY": {}}
		r.Spec.Entrypoint = []string{"/probe"}
		r.Vault = fleet.Vault{secret.Sealed: "hunter2 $HOME"}
	})
	for k, want := range map[string]string{"PLAIN": "a=b\nc", "SECRET": "hunter2 $HOME", "EMPTY": ""} {
		if got := b.output(t, id, "env", k); got != want {
			t.Errorf("%s: got %q, want %q", k, got, want)
		}
	}
}

func testFiles(t *testing.T, b *bench) {
	secret := fleet.Text{Sealed: fleet.Seal([]byte("k"), "hunter2")}
	id := b.started(t, func(r *providers.CreateRequest) {
		r.Vault = fleet.Vault{secret.Sealed: "hunter2"}
		r.Spec.Files = []fleet.File{
			{Path: "/deep/er/plain.conf", Content: fleet.Text{Plain: "one\ntwo"}, Mode: 0o644},
			{Path: "/deep/secret", Content: secret, Mode: 0o400},
			{Path: "/existing/run.sh", Content: fleet.Text{}, Mode: 0o755},
		}
	})
	for _, f := range []struct{ path, content, mode string }{
		{"/deep/er/plain.conf", "one\ntwo", "0644"},
		{"/deep/secret", "hunter2", "0400"},
		{"/existing/run.sh", "", "0755"},
	} {
		if got := b.output(t, id, "cat", f.path); got != f.content {
			t.Errorf("%s: got %q, want %q", f.path, got, f.content)
		}
		if got := b.output(t, id, "mode", f.path); got != f.mode {
			t.Errorf("%s: got mode %s, want %s", f.path, got, f.mode)
		}
	}
	// Directories that were made are nobody's to write to; one that was there stays as it was.
	for dir, mode := range map[string]string{"/deep": "0755", "/deep/er": "0755", "/existing": "0700"} {
		if got := b.output(t, id, "mode", dir); got != mode {
			t.Errorf("%s: got mode %s, want %s", dir, got, mode)
		}
	}
	ok(t, "stop", b.Engine.Stop(b.ctx, id, "", 0))
	ok(t, "start", b.Engine.Start(b.ctx, id))
	if got := b.output(t, id, "cat", "/deep/secret"); got != "hunter2" {
		t.Errorf("after another start: got %q", got)
	}
}

func testWriteFiles(t *testing.T, b *bench) {
	file := func(content string, mode uint32) []fleet.File {
		return []fleet.File{{Path: "/etc/f", Content: fleet.Text{Plain: content}, Mode: mode}}
	}
	id := b.created(t, func(r *providers.CreateRequest) { r.Spec.Files = file("one", 0o600) })
	ok(t, "write before the start", b.Engine.WriteFiles(b.ctx, id, file("twenty", 0o644), nil))
	ok(t, "start", b.Engine.Start(b.ctx, id))
	if got := b.output(t, id, "cat", "/etc/f") + b.output(t, id, "mode", "/etc/f"); got != "twenty0644" {
		t.Errorf("got %s", got)
	}
	ok(t, "write while it runs", b.Engine.WriteFiles(b.ctx, id, file("3", 0o640), nil))
	if got := b.output(t, id, "cat", "/etc/f") + b.output(t, id, "mode", "/etc/f"); got != "30640" {
		t.Errorf("got %s", got)
	}
	err := b.Engine.WriteFiles(b.ctx, id, []fleet.File{{Path: "/g", Content: fleet.Text{Sealed: "hmac-sha256:00"}}}, nil)
	want(t, "without its secret", err, providers.ErrSecret)
}
