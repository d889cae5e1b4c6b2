// Package local is the remote.Conn for the machine we run on: plain sockets and
// processes, no SSH and no shell.
package local
