// Package remote is the contract for reaching a host: one connection over which
// streams to its sockets are opened, listeners are asked for and fixed commands
// are run. How the host is reached is the business of the implementations:
// remote/ssh for another machine and remote/local for this one.
//
// Nothing is installed on a host and no data is ever interpreted by a shell
// there: the engine is spoken to through a forwarded socket, and the few
// commands that cannot be avoided are argument vectors, quoted by [Quote].
//
// Every way in which a host can fail to be reached ends as an [*Error] that
// carries its stage, its class (one of the Err variables, for errors.Is) and
// what a person needs in order to put it right.
package remote
