// Command stowage declares a fleet of hosts and the container workloads on it, shows what would change,
// and carries it out.
//
// There is one file a command. Everything that prints, colours, prompts or wires concrete engines and
// stores together is here; the packages below return values.
package main

import (
	"context"
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow to eleven times what is live before it is collected. A command lives for seconds and holds little (a
// plan of 10,000 replicas peaks at 75 MB, an apply of 100 at 41 MB), and collecting less often saves a tenth of the processor time
// of an apply. GOGC in the environment wins.
const gcPercent = 1000

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(Main(context.Background(), os.Args[1:], processStreams(), os.Environ(), theOutside()))
}
