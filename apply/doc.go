// Package apply carries out a plan: a graph of steps, each one change to one object on one host.
//
// Apply decides nothing: what is done, in which order and what is then recorded stands in the plan. What it
// adds is that nothing gets lost on the way. Before a change is sent, a durable intent says that it is
// about to be; after it, one transaction writes the result and removes the intent. So a process that
// dies at any moment leaves behind only what is recorded and what an intent points at, and the next
// plan looks at the latter.
//
// The package prints nothing: progress goes to an observer, what came of it is in the Report.
package apply
