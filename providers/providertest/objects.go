package providertest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

func (b *bench) network(t *testing.T, name fleet.NetworkName) string {
	t.Helper()
	on := fleet.NetworkOn(b.name, name)
	ok(t, "create network", b.Engine.CreateNetwork(b.ctx, b.networkRequest(on)))
	return on
}

func (b *bench) networkRequest(on string) providers.NetworkRequest {
	return providers.NetworkRequest{Name: on, Driver: "bridge", Labels: fleet.ObjectLabels(b.fleet, "network.app")}
}

func testNetworks(t *testing.T, b *bench) {
	app, back := b.network(t, "app"), b.network(t, "back")
	on := func(r *providers.CreateRequest) {
		r.Spec.Networks = []fleet.NetworkName{"app", "back"}
		r.Instance.Networks = map[string]string{"app": app, "back": back}
	}
	db := b.started(t, on, slot(2), func(r *providers.CreateRequest) { r.Instance.Replica.Workload = `db["a"]` })
	if d := cmp.Diff([]string{app, back}, b.inspect(t, db).Networks); d != "" {
		t.Errorf("networks (-want +got):\n%s", d)
	}
	web := b.started(t, func(r *providers.CreateRequest) {
		r.Spec.Networks, r.Instance.Networks = []fleet.NetworkName{"back"}, map[string]string{"back": back}
	})
	for name, answers := range map[string]bool{"db-a": true, "db-a-2": true, "db-a-1": false} {
		if status, _, _ := b.run(t, web, "resolve", name); (status == 0) != answers {
			t.Errorf("%s resolves: %t, want %t", name, status == 0, answers)
		}
	}
	for _, what := range []string{"disconnect", "disconnect again"} {
		ok(t, what, b.Engine.Disconnect(b.ctx, web, back))
	}
	if got := b.inspect(t, web).Networks; len(got) != 0 {
		t.Errorf("networks: got %v, want none", got)
	}
	for _, what := range []string{"connect", "connect again"} {
		ok(t, what, b.Engine.Connect(b.ctx, web, app, []string{"web", "www"}))
	}
	if d := cmp.Diff([]string{app}, b.inspect(t, web).Networks); d != "" {
		t.Errorf("networks (-want +got):\n%s", d)
	}
	if status, _, errs := b.run(t, db, "resolve", "www"); status != 0 {
		t.Errorf("www does not resolve: %s", errs)
	}
	want(t, "remove while containers are on it", b.Engine.RemoveNetwork(b.ctx, b.fleet, app), providers.ErrInUse)
	want(t, "connect to none", b.Engine.Connect(b.ctx, web, string(b.name)+"-none", nil), providers.ErrNotFound)
}

func testNetworkObjects(t *testing.T, b *bench) {
	name := b.network(t, "app")
	ok(t, "create again", b.Engine.CreateNetwork(b.ctx, b.networkRequest(name)))
	var found []fleet.ObservedNetwork
	for _, n := range b.observe(t).Networks {
		if n.Name == name {
			found = append(found, n)
		}
	}
	if len(found) != 1 || found[0].Fleet != b.fleet || found[0].Object != "network.app" || found[0].Driver != "bridge" || found[0].ID == "" {
		t.Errorf("observed: %+v", found)
	}
	want(t, "of a stranger's name", b.Engine.CreateNetwork(b.ctx, b.stranger().networkRequest(name)), providers.ErrNameTaken)
	more := b.networkRequest(name)
	more.Labels = map[string]string{"more": "labels"}
	for k, v := range fleet.ObjectLabels(b.fleet, "network.app") {
		more.Labels[k] = v
	}
	want(t, "with other labels", b.Engine.CreateNetwork(b.ctx, more), providers.ErrNameTaken)
	want(t, "remove a stranger's", b.Engine.RemoveNetwork(b.ctx, b.stranger().fleet, name), providers.ErrNotOurs)
	want(t, "remove the engine's", b.Engine.RemoveNetwork(b.ctx, b.fleet, "bridge"), providers.ErrNotOurs)
	for _, what := range []string{"remove", "remove again"} {
		ok(t, what, b.Engine.RemoveNetwork(b.ctx, b.fleet, name))
	}
}

func testVolumes(t *testing.T, b *bench) {
	request := providers.VolumeRequest{
		Name: string(b.name) + "-data", Driver: "local", Labels: fleet.ObjectLabels(b.fleet, "volume.data"),
	}
	for _, what := range []string{"create", "create again"} {
		ok(t, what, b.Engine.CreateVolume(b.ctx, request))
	}
	o := b.observe(t)
	i := slices.IndexFunc(o.Volumes, func(v fleet.ObservedVolume) bool { return v.Name == request.Name })
	if i < 0 {
		t.Fatal("the volume is not observed")
	}
	seen := fleet.ObservedVolume{Name: request.Name, Driver: "local", Fleet: b.fleet, Object: "volume.data"}
	if d := cmp.Diff(seen, o.Volumes[i]); d != "" {
		t.Errorf("observed (-want +got):\n%s", d)
	}
	strange := request
	strange.Labels = fleet.ObjectLabels(b.stranger().fleet, "volume.data")
	want(t, "of a stranger's name", b.Engine.CreateVolume(b.ctx, strange), providers.ErrNameTaken)

	mount := func(r *providers.CreateRequest) {
		r.Spec.Mounts = []fleet.Mount{{Target: "/data", Kind: fleet.MountVolume, Volume: "data"}, {Target: "/scratch", Kind: fleet.MountTmpfs, Size: fleet.MiB}}
		r.Instance.Volumes = map[string]string{"/data": request.Name}
	}
	id := b.started(t, mount)
	want(t, "remove while in use", b.Engine.RemoveVolume(b.ctx, b.fleet, request.Name), providers.ErrInUse)
	ok(t, "stop", b.Engine.Stop(b.ctx, id, "", time.Second))
	want(t, "remove while a stopped container has it", b.Engine.RemoveVolume(b.ctx, b.fleet, request.Name), providers.ErrInUse)
	ok(t, "remove the container", b.Engine.Remove(b.ctx, id))
	if !slices.ContainsFunc(b.observe(t).Volumes, func(v fleet.ObservedVolume) bool { return v.Name == request.Name }) {
		t.Error("the volume went with its container")
	}
	want(t, "remove a stranger's", b.Engine.RemoveVolume(b.ctx, b.stranger().fleet, request.Name), providers.ErrNotOurs)
	for _, what := range []string{"remove", "remove again"} {
		ok(t, what, b.Engine.RemoveVolume(b.ctx, b.fleet, request.Name))
	}
}

func testObserve(t *testing.T, b *bench) {
	const port = 28418
	one, two := b.started(t, slot(1)), b.created(t, slot(0))
	strange := b.stranger().started(t, slot(5), published(port))
	o := b.observe(t, b.Image.Ref, "stowage.invalid/none:1")
	if e := o.Engine; e.ID == "" || e.Kind == "" || e.Version == "" || e.OS == "" || e.Arch == "" ||
		e.Capacity.CPU <= 0 || e.Capacity.Memory <= 0 {
		t.Errorf("engine: %+v", e)
	}
	if d := cmp.Diff([]fleet.Container{b.inspect(t, two), b.inspect(t, one)}, o.Containers); d != "" {
		t.Errorf("containers, by name (-inspected +observed):\n%s", d)
	}
	i := slices.IndexFunc(o.Foreign, func(f fleet.ForeignContainer) bool { return f.ID == strange })
	if i < 0 {
		t.Fatal("the foreign container is not observed")
	}
	wantForeign := fleet.ForeignContainer{
		ID: strange, Name: string(b.name) + "-web-5-g1", Phase: fleet.PhaseRunning,
		HostPorts: []fleet.PublishedPort{{Host: port, Container: 8080, Protocol: "tcp"}},
		Identity:  b.inspect(t, strange).Identity,
	}
	if d := cmp.Diff(wantForeign, o.Foreign[i]); d != "" {
		t.Errorf("foreign (-want +got):\n%s", d)
	}
	if !slices.IsSortedFunc(o.Foreign, func(a, b fleet.ForeignContainer) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("foreign containers are not sorted by name")
	}
	if len(o.Images) != 1 || o.Images[0].Ref != b.Image.Ref || !o.Images[0].Matches(b.Image) {
		t.Errorf("images: %+v", o.Images)
	}
}

func testImages(t *testing.T, b *bench) {
	o := b.observe(t, b.Image.Ref, b.Image.ID, b.Image.Ref)
	var refs []string
	for _, i := range o.Images {
		if i.ID != b.Image.ID || i.Arch == "" {
			t.Errorf("%+v", i)
		}
		refs = append(refs, i.Ref)
	}
	slices.Sort(refs)
	refs = slices.Compact(refs)
	all := []string{b.Image.Ref, b.Image.ID}
	slices.Sort(all)
	if d := cmp.Diff(all, refs); d != "" {
		t.Errorf("references (-want +got):\n%s", d)
	}
	// Nothing listens there: the engine's own answer, or the registry's that is not.
	err := b.Engine.Pull(b.ctx, providers.PullRequest{Image: fleet.Image{Ref: "127.0.0.1:1/none:1"}})
	if !errors.Is(err, providers.ErrRegistry) && !errors.Is(err, providers.ErrImageNotFound) {
		t.Errorf("pull: got %v", err)
	}
}

func testExportImport(t *testing.T, b *bench) {
	_, err := b.Engine.Export(b.ctx, "sha256:"+strings.Repeat("0", 64))
	want(t, "export what is not there", err, providers.ErrImageNotFound)
	sent := fleet.Image{Ref: "stowage-sent:" + string(b.name), ID: b.Image.ID}
	for _, what := range []string{"import", "import again"} {
		stream, err := b.Engine.Export(b.ctx, b.Image.ID)
		if err != nil {
			t.Fatal(err)
		}
		ok(t, what, b.Other.Import(b.ctx, stream, sent))
		ok(t, "close the stream", stream.Close())
	}
	o, err := b.Other.Observe(b.ctx, providers.Query{Fleet: b.fleet, Images: []string{sent.Ref}})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Images) != 1 || o.Images[0].ID != b.Image.ID {
		t.Errorf("the other engine has %+v", o.Images)
	}
	err = b.Other.Import(b.ctx, strings.NewReader("not an image"), fleet.Image{Ref: "stowage-none:1", ID: "sha256:" + strings.Repeat("1", 64)})
	if err == nil {
		t.Error("rubbish was imported")
	}
	stream, err := b.Engine.Export(b.ctx, b.Image.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	whole, err := io.ReadAll(stream)
	ok(t, "read", err)
	err = b.Other.Import(b.ctx, bytes.NewReader(whole), fleet.Image{Ref: "stowage-other:1", ID: "sha256:" + strings.Repeat("1", 64)})
	if err == nil {
		t.Error("an image of another id was taken for the one asked for")
	}
	begun, err := b.Engine.Export(b.ctx, b.Image.ID)
	ok(t, "export", err)
	if err == nil {
		ok(t, "close a stream that was not read", begun.Close())
	}
}
