package sim

import (
	"net"
	"strings"
	"time"

	"github.com/stowage-run/stowage/providers/fake"
)

// What a release's containers do stands in their environment: FOO=never-3 is the third revision, and is never healthy.
const behaviour = "FOO"

// The behaviours. What begins with something else is good.
const (
	good  = "good"
	slow  = "slow"  // healthy from 8 s after its start
	never = "never" // runs, and is never healthy
	exits = "exits" // ends as soon as it is started
	dies  = "dies"  // healthy for 12 s
	flaps = "flaps" // healthy every other second
)

func behaves(value string) string {
	what, _, _ := strings.Cut(value, "-")
	return what
}

// well is the truth about a running container.
func well(what string, up time.Duration) bool {
	switch what {
	case slow:
		return up >= 8*time.Second
	case never, exits:
		return false
	case dies:
		return up < 12*time.Second
	case flaps:
		return int(up/time.Second)%2 == 0
	}
	return true
}

// served reports whether a container that runs for that long has been well at some time.
func served(what string, up time.Duration) bool {
	return what == dies || what == flaps || well(what, up)
}

// image is one whose containers behave as their environment says.
func image(name string) fake.Image {
	i := fake.NewImage(name).Serving(func(v fake.Visit) func(net.Conn) {
		if !well(behaves(v.Env[behaviour]), v.Up) {
			return nil
		}
		return func(c net.Conn) { _ = c.Close() }
	})
	i.Program = func(p fake.Process) fake.Outcome {
		if p.Exec {
			return fake.Outcome{Exited: true}
		}
		return fake.Outcome{Exited: p.Signal == "SIGTERM" || p.Signal == "" && behaves(p.Env[behaviour]) == exits}
	}
	return i
}
