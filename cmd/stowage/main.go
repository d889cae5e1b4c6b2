// Command stowage declares a fleet of hosts and the container workloads on it, shows what would change,
// and carries it out.
//
// There is one file a command. Everything that prints, colours, prompts or wires concrete engines and
// stores together is here; the packages below return values.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(Main(context.Background(), os.Args[1:], processStreams(), os.Environ()))
}
