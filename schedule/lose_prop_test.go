package schedule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// TestQuestionsLeaveNoTrace asks about every host of random fleets, twice over and with other questions in between, and
// compares each answer with that of placing everything again. Small fleets are touched all over by any loss, so the trees
// of the standing placement are forced in one half.
func TestQuestionsLeaveNoTrace(t *testing.T) {
	for name, m := range map[string]mix{"plain": {}, "rich": {rich: true, ranks: true}, "everything": everything} {
		for way, cost := range map[string]int{"grown": 1 << 20, "kept": 0} {
			t.Run(name+"/"+way, func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) {
					text := drawMix(rt, m)
					s := Stand(parse(t, text))
					s.pass.growing = cost
					s.ready()
					for i := range 2 * len(s.pass.hosts) {
						askTwice(rt, s, i, text)
					}
				})
			})
		}
	}
}

func askTwice(rt *rapid.T, s *Standing, i int, text string) {
	n := len(s.pass.hosts)
	names := []fleet.HostName{s.pass.hosts[i%n].Name}
	if i%2 == 1 {
		names = append(names, s.pass.hosts[(i+1)%n].Name)
	}
	lost := s.losable(names)
	if s.tricky(lost) {
		return
	}
	s.Why(fleet.ReplicaID{Workload: "w1"})
	if d := cmp.Diff(s.loseSlowly(lost), s.Lose(names), cmpopts.EquateEmpty()); d != "" {
		rt.Fatalf("%s\nlose %v (-placed again +Lose):\n%s", text, names, d)
	}
}
