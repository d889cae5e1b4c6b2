package plan

import (
	"fmt"
	"slices"
	"testing"
)

// TestOrder: needs hold, wishes hold as far as they can, and only those in a circle are given up.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		steps  int
		needs  [][2]int
		wishes []wish
		want   string
	}{
		{"as added", 3, [][2]int{{1, 0}}, nil, "0 1 2: 1<0"},
		{"turned around", 3, [][2]int{{0, 2}}, nil, "1 2 0: 0<2"},
		{"a wish", 2, nil, []wish{{0, 1, safety}}, "1 0: 0<1"},
		{"a circle", 2, [][2]int{{1, 0}}, []wish{{0, 1, safety}}, "0 1: 1<0"},
		{"the lighter wish goes", 2, nil, []wish{{0, 1, safety}, {1, 0, comfort}}, "1 0: 0<1"},
		{"what waits for a circle keeps its wish", 3, [][2]int{{1, 2}}, []wish{{0, 1, comfort}, {2, 1, safety}}, "2 1 0: 0<1 1<2"},
		{"two circles", 4, [][2]int{{0, 1}, {2, 3}}, []wish{{1, 0, safety}, {3, 2, safety}}, "1 0 3 2: 0<1 2<3"},
		{"needs in a circle", 2, [][2]int{{0, 1}, {1, 0}}, nil, "none"},
	} {
		b := builder{}
		for i := range c.steps {
			b.add(Step{Reason: fmt.Sprint(i)})
		}
		for _, n := range c.needs {
			b.need(n[0], n[1])
		}
		for _, w := range c.wishes {
			b.prefer(w.weight, w.step, w.need)
		}
		got := "none"
		if _, ok := b.order(); ok {
			got = orderText(b.list)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func orderText(steps []Step) string {
	var order string
	var needs []string
	for i, s := range steps {
		if i > 0 {
			order += " "
		}
		order += s.Reason
		for _, n := range s.Needs {
			needs = append(needs, s.Reason+"<"+steps[n].Reason)
		}
	}
	slices.Sort(needs)
	for i, n := range needs {
		if i == 0 {
			order += ":"
		}
		order += " " + n
	}
	return order
}
