package bolt

import (
	"testing"
	"time"

	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/statetest"
)

func TestStore(t *testing.T) {
	statetest.Run(t, func(t *testing.T) (state.Store, func() state.Store) {
		dir := t.TempDir()
		reopen := func() state.Store { return openStore(t, dir) }
		return reopen(), reopen
	})
}

// openStore opens the store of the fleet shop below dir, with a quick poll.
func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, "shop")
	if err != nil {
		t.Fatal(err)
	}
	s.poll = 20 * time.Millisecond
	t.Cleanup(func() { s.Close() })
	return s
}
