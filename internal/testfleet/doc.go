// Package testfleet starts real hosts on one Linux machine, for tests and for
// people: each has a network, a process tree, an sshd and a Docker engine of its
// own, and answers at its own address.
//
// A host is a set of Linux namespaces (network, mount, UTS, IPC, PID) below one
// process, its init. Private directories lie over /run, /var, /root, /tmp,
// /etc/ssh and /etc/docker, so that every path is the one a stock installation has: the engine's
// socket is /var/run/docker.sock and sshd listens on port 22. The hosts of a fleet
// hang on a bridge that lives in a namespace of its own; this machine has one
// interface into it. Rejected: the bridge in the machine's own namespace, because
// an engine there drops what it forwards (policy of FORWARD with
// bridge-nf-call-iptables) and a rule against that would have to be undone.
//
//	machine --- stowf3 ===== bridge ===== h1 (10.66.3.11)
//	            10.66.3.1      |--------- h2 (10.66.3.12)
//
// Nothing outlives the process that started the fleet. The inits ask the kernel to
// be killed with it, even by SIGKILL; an init takes its processes, mounts and
// network along. What remains then is a directory and empty cgroups: the next fleet
// to start removes those, knowing a dead owner by the lock it no longer holds.
//
// It needs root, and Debian's docker.io, iproute2, iptables and openssh-server.
// Hosts have no route to the Internet, so an image reference that no registry on
// their network answers fails at once.
package testfleet
