//go:build seededbugs

package sim_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stowage-run/stowage/internal/sim/bug"
)

// bugSeeds is within how many lives each mistake has to be found.
const bugSeeds = 400

// TestSeededBugs makes one mistake after the other, and sees that the lives of that fleet go wrong.
func TestSeededBugs(t *testing.T) {
	for _, name := range append(bug.Names(), "none") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLives$", fmt.Sprint("-sim.seeds=", bugSeeds), "-sim.failures=1")
			cmd.Env = append(os.Environ(), "STOWAGE_BUG="+name)
			out, err := cmd.CombinedOutput()
			if name == "none" {
				if err != nil {
					t.Fatalf("nobody has made a mistake: %v\n%s", err, out)
				}
				return
			}
			found := regexp.MustCompile(`seed \d+ \(\w+\).*\n.*`).Find(out)
			if err == nil || found == nil {
				t.Fatalf("%d lives, and nobody has noticed: %v", bugSeeds, err)
			}
			t.Logf("%s", found)
		})
	}
}
