package drawing

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
)

var (
	update = flag.Bool("update", false, "write the drawings in testdata anew")
	look   = flag.String("look", "", "write every picture of the tests to this directory, to be looked at")
)

func pictures() map[string]Picture {
	return map[string]Picture{
		"empty": {}, "one": one(), "three": three(), "crowded": crowded(), "thirty": many(30, 3), "eighty": many(80, 7),
		"hostile": hostile(), "three-hundred": many(300, 3), "three-thousand": many(3000, 5),
	}
}

// hostile is a picture of texts that try to break out of it.
func hostile() Picture {
	bad := "a\x00\x1b[31m<script>&\"'\u202e\ufffe]]>\xff\n--> " + strings.Repeat("w", 400)
	return Picture{Title: bad, Subtitle: bad, GroupBy: bad, Holds: []Hold{
		{Host: bad, Address: bad, Group: bad, State: 99, Facts: []string{bad}, Capacity: fleet.Resources{CPU: -1, Memory: -1},
			Boxes: []Box{{Replica: bad, Other: bad, Mark: Leaving, Health: -3, Facts: []string{bad}}, {Replica: "", Memory: -1 << 60, Mark: 77}}},
		{Host: bad, Capacity: fleet.Resources{CPU: 1, Memory: 1}, Reserve: fleet.Resources{CPU: 5, Memory: 5},
			Boxes: []Box{{Memory: 1<<63 - 1, CPU: 1<<63 - 1}, {Memory: 1<<63 - 1}}},
	}, Quay: []Box{{Replica: bad}, {Memory: 1<<63 - 1}}}
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"empty", "one", "three", "crowded"} {
		got := Draw(pictures()[name])
		file := filepath.Join("testdata", name+".svg")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s is drawn otherwise: look at it (-look=DIR), then run with -update (-want +got):\n%s", name, d)
		}
	}
}

func TestEveryPicture(t *testing.T) {
	for name, p := range pictures() {
		svg := Draw(p)
		if *look != "" {
			if err := os.WriteFile(filepath.Join(*look, name+".svg"), svg, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := check(p, svg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What comes in in another order comes out the same.
func TestOrderDoesNotMatter(t *testing.T) {
	for _, p := range []Picture{three(), many(80, 7)} {
		want := Draw(p)
		q := p
		q.Holds = slices.Clone(p.Holds)
		slices.Reverse(q.Holds)
		for i := range q.Holds {
			q.Holds[i].Boxes = slices.Clone(q.Holds[i].Boxes)
			slices.Reverse(q.Holds[i].Boxes)
		}
		if got := Draw(q); !bytes.Equal(want, got) {
			t.Errorf("%s: another order of hosts and boxes is drawn otherwise", p.Title)
		}
	}
}

func TestMarksDifferWithoutColour(t *testing.T) {
	svg := string(Draw(three()))
	for _, sign := range []string{"new", "arriving", "changing", "leaving", "waiting", "unhealthy"} {
		if !strings.Contains(svg, `<use href="#stw-sign-`+sign+`"`) {
			t.Errorf("no sign for %s", sign)
		}
	}
	for _, want := range []string{
		`data-host="web2" data-replica="web[1]"><title>web[1] on web2: moves to web3, healthy`,
		`data-host="web3" data-replica="web[1]"><title>web[1] on web3: moves here from web2`,
		`<g class="box waiting" data-replica="search[0]">`, `id="hold-web2" data-host="web2"`,
		`>zone eu-a</text>`, `>1 moves in</text>`, `>1 waits for a place</text>`, `>1 host drained</text>`,
		`prefers-color-scheme:dark`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("the drawing lacks %s", want)
		}
	}
}

// Nothing is fetched and nothing is run, whatever the names.
func TestSelfContained(t *testing.T) {
	for name, p := range pictures() {
		svg := string(Draw(p))
		for _, never := range []string{"<script", "<foreignObject", "<image", "<a ", "@import", "@font-face", " on", "javascript:", "data:"} {
			if i := strings.Index(strings.ToLower(svg), never); i >= 0 && never != " on" {
				t.Errorf("%s has %q", name, never)
			}
		}
		for rest := svg; ; {
			i := strings.Index(rest, `href="`)
			if i < 0 {
				break
			}
			if rest = rest[i+6:]; rest[0] != '#' {
				t.Errorf("%s refers to %.30s", name, rest)
			}
		}
		if n := strings.Count(svg, "http"); n != 1 {
			t.Errorf("%s names %d addresses, want the namespace alone", name, n)
		}
	}
}

func TestNaturalOrder(t *testing.T) {
	got := []string{"web10", "web2", "Web1", "web", "web02", "web[10]", "web[9]", "db1-2", "db1-10", ""}
	slices.SortFunc(got, natural)
	want := []string{"", "Web1", "db1-2", "db1-10", "web", "web02", "web2", "web10", "web[9]", "web[10]"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestShortening(t *testing.T) {
	for _, c := range []struct {
		name string
		room float64
		want string
	}{
		{"web[2]", 100, "web[2]"},
		{"checkout-api[12]", 100, "checkout-api[12]"},
		{"checkout-api[12]", 70, "check…[12]"},
		{"checkout-api[12]", 45, "[12]"},
		{"checkout-api[12]", 10, ""},
		{"no-number-at-all", 60, "no-numb…"},
		{"日本語日本語日本語[3]", 60, "日本…[3]"},
	} {
		if got := replicaLabel(c.name, 10, c.room); got != c.want {
			t.Errorf("replicaLabel(%q, %v) = %q, want %q", c.name, c.room, got, c.want)
		}
	}
}

func TestHoldIDsDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, n := range []string{"a", "a_", "a_5f_", `edge["a"]`, `edge["a_"]`, "", "é", "_e9_"} {
		id := holdID(n)
		if other, ok := seen[id]; ok {
			t.Errorf("%q and %q have the id %s", n, other, id)
		}
		seen[id] = n
	}
}

func BenchmarkDraw(b *testing.B) {
	for _, hosts := range []int{3, 300, 3000} {
		p := many(hosts, 3)
		b.Run(fmt.Sprintf("hosts=%d", hosts), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(Draw(p))))
			}
		})
	}
}
