// Package fake is a container engine that runs in memory: a World of hosts with containers, images,
// volumes, networks, names and ports that behave as an engine's do. It passes providertest.
//
// It is not a mock: nothing is expected of the caller. Tests arrange the world (foreign containers,
// images that exit at once, a registry), break it with faults that are values, change it as a person
// behind our back would, and watch or stop every call with a Hook. Nothing happens by itself: no
// goroutine but those that serve an open stream, no clock of its own, equal calls give equal ids.
//
// All methods of World, Host and Registry are safe for concurrent use.
package fake
