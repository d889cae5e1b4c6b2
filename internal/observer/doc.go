// Package observer is an independent witness for tests: it asks the container engines of a fleet every 100 ms what is
// there, asks each replica from outside whether it answers, keeps what it saw as a Timeline, and answers questions about
// that afterwards. It shares no code with Stowage, not even its vocabulary or its client of the engine: a mistake made
// there is not made here again.
//
//	w := observer.Watch(ctx, observer.Config{
//		Hosts: []observer.Host{{Name: "h1", Socket: h1.Socket, Addr: h1.Addr}},
//		Ours:  observer.ByName("shop"),
//		Probe: observer.Published(8080, "/healthz"),
//	})
//	... a rollout ...
//	seen := w.Close()
//	violations := seen.Floor("web", 12, observer.Span{})
//	gaps := seen.Gaps(observer.Span{})
//
// What is seen is true of some moment between question and answer, and nothing is known of the time in between. So every
// count has two bounds: Low holds what was surely there, High what may have been. A violation is reported where it is
// proven: too few where even High is too low, too many where even Low is too high. Two replicas on different hosts that
// take over from one another between two looks are no violation, and two that overlap for less than an interval on
// different hosts are not seen.
//
// An engine that does not answer leaves a gap. In it nothing is sure; what was seen before or after it may have been there
// all the time, and what came and went within it is not seen at all. A test that wants to claim that something never
// happened also looks at Gaps: none, or only those it made itself. Off says that a host without power ran nothing.
package observer
