package ssh

import (
	"errors"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
)

// errSilent is a peer from which nothing came for the whole keepalive time.
var errSilent = errors.New("no sign of life")

// keepalive ends the connection when nothing has come in for count intervals,
// though something was asked for. Any byte is a sign of life: a reply may queue
// behind a large image on a slow line. The first interval of a silence is the
// one at whose end the question goes out, so all ends within interval x count of
// the last byte (a count of 1 is taken as 2); and it counts ticks rather than time, for when this process was
// stopped or starved it is not the peer that was silent.
func (c *Conn) keepalive(interval time.Duration, count int) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	asked := make(chan struct{}, 1) // holds a token while a question is open
	seen := c.wire.reads.Load()
	for silent, questioned := 0, false; ; {
		select {
		case <-c.done:
			return
		case <-ticker.C:
		}
		if reads := c.wire.reads.Load(); reads != seen {
			seen, silent = reads, 0
		} else if questioned {
			silent++
		}
		if silent >= max(count-1, 1) {
			e := c.fail(remote.StageKeepalive, remote.ErrUnreachable, "", errSilent)
			e.Timeout = interval * time.Duration(count)
			e.Detail = "nothing was heard from it any more"
			c.end(e)
			return
		}
		questioned = true
		select {
		case asked <- struct{}{}:
			// It returns at the latest when the connection is closed.
			c.start(func() {
				_, _, _ = c.client.SendRequest("keepalive@openssh.com", true, nil)
				<-asked
			})
		default:
		}
	}
}
