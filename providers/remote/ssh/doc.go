// Package ssh is the remote.Conn for another machine: one SSH connection a host,
// made in this process and never by an ssh program, so that every stage has its
// deadline and a peer that fell silent is found.
//
// What is learned from x/crypto/ssh in use: its handshake and its requests wait
// for ever on a silent peer, its streams have no deadlines, and the only cancel
// that always works is to close the TCP connection under it. So Dial owns that
// connection, and closes it when a stage is late.
//
// Sockets on the host are reached with direct-streamlocal channels, which need
// no process there and do not count against sshd's MaxSessions. Where sshd
// forwards no sockets the docker CLI there stands in, one session a stream; see
// Mode. Dial itself asks nothing of the host beyond the handshake: what a host
// can do is found out when something is refused.
//
// Files: dial.go is the way to a host, conn.go the connection, probe.go what is
// asked of a host that refused a stream.
package ssh
