// Package bolt keeps the state in one bbolt file on this machine.
//
// Below the state directory each fleet has a directory of its own:
//
//	.stowage/shop/state.db    the records (layout.go)
//	.stowage/shop/state.db.1  a copy, made when the lock was last taken
//	.stowage/shop/lock        held with flock(2) by who changes the fleet; the kernel frees it with the process
//	.stowage/shop/lock.json   who that is, for people
//	.stowage/shop/.gitignore  keeps all of it out of version control
//
// The file is opened for each transaction and closed after it, since bbolt locks a file for as long as
// it is open. It is verified before bbolt sees it (verify.go), since bbolt panics on a damaged file and one that
// was cut short kills the process with SIGBUS. flock does not work on every network file system:
// the directory belongs on a local disk.
package bolt
