// Package schedule decides which replica stands on which host, says why not elsewhere, and what would follow from a loss.
//
// Place is a pure function: equal inputs give equal bytes, in whatever order their slices and maps were filled, and nothing
// handed in is changed. It knows no clock, no network and no engine.
//
// # How a fleet is placed
//
// What must be left alone is taken over as it is (freeze.go). What stands and may go on standing is kept (keep.go), so that
// nothing moves without a reason. The rest is placed, workload by workload (order.go, fill.go): the higher priority first,
// then the one with the least choice, and each after those of its priority that it wants to be near. Hosts pass through
// the filters (filter.go), and the best of those that are left is taken, by the first of these that differs:
//
//  1. how many replicas of the workload its value of the first spread label has, then of the second within the first, and so on;
//  2. the sum of the affinities that it meets;
//  3. how many replicas of the workload it has, how full it is, how many replicas it has, and its name;
//     for a workload that packs: how full it is, the fuller the better, and its name.
//
// A replica for which there is no room displaces lesser ones, where that costs least (displace.go). Those have their turn
// still to come, since a displaced workload is always of a lower priority. What no host takes is explained, with counts
// (explain.go). Rebalancing, where it is asked for, comes last (rebalance.go).
//
// Scaling down removes the highest slots, whatever that does to the spread: which replica goes can then be read off the
// configuration, and growing again brings back the same addresses.
//
// # What makes it fast
//
// With h hosts, w workloads and n replicas, no step looks at every host for each replica.
//
//   - Classes (class.go). Hosts that are alike in all that any workload asks about are one class, and constraints, labels,
//     architectures and devices are judged once a class and workload. Expressions and versions are parsed once a pass.
//   - Trees (shape.go, tree.go, key.go). A workload's turn begins with a tree of the values of its spread labels, the hosts at
//     its leaves in heaps: O(h) to grow, O(1) to look at the best host, O(log h) to put it back once it is fuller. Within a
//     turn all replicas ask for the same and hosts are only used up, so one that refuses is dropped for good. That is
//     O(w h + n log h) altogether, and what is counted is an array and not a map. How hosts fall into values is worked out
//     once for all workloads that spread over the same labels.
//   - Ports (ports.go). The automatic ports of a host are bits, and the lowest free one is found 64 at a time. Replicas with
//     the same port numbers, of which nearly every host has one, share one map.
//   - Victims (choice.go, displace.go). What would have to go from a host is worked out once for a workload and again only
//     where something has changed.
//
// # What makes questions fast
//
// Stand keeps the pass that has placed everything. A question about a loss (lose.go) changes that pass itself, with the code
// that has made it, writes each change in a journal (journal.go) and undoes it at the end. A workload of which something is
// lost keeps a tree of the standing placement; a question brings it up to date with the hosts that it has touched, at
// O(log h) each, and puts them back. So a loss costs what was lost, times the logarithm of the fleet, and the survival line,
// which tries every host, about as much as placing everything twice.
// Copying the pass for each question would cost the whole fleet each time.
//
// The answer is that of placing again with everything standing and the hosts lost. That is so because a placement is a fixed
// point: placed again, it stays, and what was refused is refused. Where that is not certain (a volume on several hosts, a
// refused replica on a host that might keep it), the long way is taken.
package schedule
