package main

import (
	"fmt"
	"path/filepath"
)

// inTheFile kills changes in place of each system call that changes what the state's files hold: between the pages of one
// transaction, before its head, before a copy gets its name. A death in place of a sync would be another's twin: what the kernel has
// taken outlives the process, and power loss is not tried here. The process's writes come from one thread (mortalStore), and so strace, which counts by thread, counts them all.
func (k *killing) inTheFile() {
	k.t.Helper()
	c, died := k.changes[0], 0
	for _, call := range []string{"pwrite64", "renameat", "unlinkat"} {
		for n := 1; ; n++ {
			k.want(c)
			cmd := k.command(c)
			traced := k.stowage(append([]string{"strace", "-f", "-qq", "-o", filepath.Join(k.dir, "trace"),
				"-e", "trace=" + call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n)}, cmd.Args...)...)
			traced.Env = cmd.Env
			dead := k.dies(c, traced) // strace ends as what it ran did
			if dead {
				died++
				k.witness(c)
			}
			k.heals(c)
			if !dead || k.t.Failed() {
				k.t.Logf("%s: killed at %d calls", call, n-1)
				break
			}
		}
	}
	k.t.Logf("%d deaths at system calls", died)
}
