package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPin: what has to be asked, and what an image stands for then. Answers that were not asked for are not given.
func TestPin(t *testing.T) {
	const hosts = "host web1\nhost web2\nhost web3\n"
	for _, c := range []struct{ name, desired, record, observed, want string }{
		{"nobody has it, the registry does", "workload web image=a:1", "", "registry a:1 digest=sha256:d", "asks registry local\na:1 sha256:d"},
		{"nobody has it, this machine does", "workload web image=a:1", "", "registry a:1 missing\nlocal a:1 id=i9", "asks registry local\na:1 i9"},
		{"nobody at all", "workload web image=a:1", "", "registry a:1 missing", "asks registry local\nS0701"},
		{"all hosts have it", "workload web image=a:1", "", "web1 image a:1 id=i1\nweb2 image a:1 id=i1\nweb3 image a:1 id=i1", "a:1 i1"},
		{"one host has it by id only", "workload web image=a:1", "", "web1 image a:1 id=i1", "asks local\na:1 i1"},
		{"one host has it by digest", "workload web image=a:1", "", "web1 image a:1 id=i1 digest=sha256:d", "a:1 sha256:d"},
		{"the newest wins", "workload web image=a:1", "", "web1 image a:1 id=i1 created=9\nweb2 image a:1 id=i2 created=5\nweb3 image a:1 id=i2 created=5", "a:1 i1"},
		{"as old: the recorded one", "workload web image=a:1", "workload web image=a:1#i3", "web1 image a:1 id=i1\nweb2 image a:1 id=i1\nweb3 image a:1 id=i3", "a:1 i3"},
		{"as old: the one of most hosts", "workload web image=a:1", "", "web1 image a:1 id=i1\nweb2 image a:1 id=i2\nweb3 image a:1 id=i2", "a:1 i2"},
		{"as old, as many: the first", "workload web image=a:1", "", "web1 image a:1 id=i2\nweb2 image a:1 id=i1\nsilent web3 x", "a:1 i1"},
		{"the recorded pin by id stays though a digest is known", "workload web image=a:1", "workload web image=a:1#i1", "web1 image a:1 id=i1 digest=sha256:d\nweb2 image a:1 id=i1\nweb3 image a:1 id=i1", "a:1 i1"},
		{"a recorded pin of another tag is nothing", "workload web image=a:2", "workload web image=a:1#sha256:d", "registry a:2 digest=sha256:e", "asks registry local\na:2 sha256:e"},
		{"the tag is gone, the digest is recorded", "workload web image=a:1", "workload web image=a:1#sha256:d", "", "a:1 sha256:d"},
		{"the tag is gone, the id is recorded", "workload web image=a:1", "workload web image=a:1#i1", "registry a:1 missing", "asks registry local\na:1 i1"},
		{"one image under two ids", "workload web image=a:1", "", "web1 image a:1 id=i1 digest=sha256:d\nweb2 image a:1 id=m1 digest=sha256:d\nweb3 image a:1 id=i1", "a:1 sha256:d"},
		{"hosts that may not run it do not count", "workload web image=a:1 on=web1", "", "web2 image a:1 id=i2\nregistry a:1 digest=sha256:d", "asks registry local\na:1 sha256:d"},
		{"always asks", "workload web image=a:1 pull=always", "", "web1 image a:1 id=i1\nregistry a:1 digest=sha256:d", "asks registry\na:1 sha256:d"},
		{"always without an answer", "workload web image=a:1 pull=always", "workload web image=a:1#sha256:d", "web1 image a:1 id=i1 digest=sha256:d", "asks registry\nS0702"},
		{"always, and the tag is gone", "workload web image=a:1 pull=always", "", "registry a:1 missing", "asks registry\nS0701"},
		{"never", "workload web image=a:1 pull=never", "", "web1 image a:1 id=i1", "a:1 i1"},
		{"never, and nobody has it", "workload web image=a:1 pull=never", "", "registry a:1 digest=sha256:d", "S0704"},
		{"a digest in the reference", "workload web image=a@sha256:d", "", "", "a@sha256:d sha256:d"},
		{"no replicas want no image", "workload web image=a:1 replicas=0", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			for _, err := range []error{w.parseDesired(hosts + c.desired), w.parseRecord(c.record), w.parseObserved("web1\nweb2\nweb3\n" + c.observed)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			asked := Answers{Registry: map[string]RegistryAnswer{}}
			for _, q := range Questions(&w.desired, &w.snap, w.view) {
				line := "asks"
				if q.Registry {
					line += " registry"
					asked.Registry[q.Ref] = w.answers.Registry[q.Ref]
				}
				if q.Local {
					line += " local"
					asked.Local = w.answers.Local
				}
				got = append(got, line)
			}
			pinned, _, diags := Pin(&w.desired, &w.snap, w.view, asked)
			for _, d := range diags {
				got = append(got, string(d.Code))
			}
			if i := pinned.Workloads[0].Spec.Image; i.Pin() != "" {
				got = append(got, fmt.Sprintf("%s %s", i.Ref, i.Pin()))
			}
			if d := cmp.Diff(c.want, strings.Join(got, "\n")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if w.desired.Workloads[0].Spec.Image.Pin() != "" {
				t.Error("the fleet handed in was pinned")
			}
		})
	}
}
