package docker

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// position is a place in an engine's events: the moment of one, and whom it was about. Of one object no two happen in the same
// nanosecond, and if they did, either would show that the engine remembers that nanosecond.
type position struct {
	nano int64  // by the host's clock, since 1970
	id   string // empty: no event, only a time
}

// overlap is how far before a position a stream begins. The engine stamps events before it orders them, so that of two
// containers' events at one moment the older may come second; and a stream may have been cut between the two.
const overlap = int64(time.Second)

// cursorVersion begins every cursor of this package. Whoever changes what follows changes it: an old cursor is a gap then.
const cursorVersion = "docker1"

// String is the position as a cursor; that of no event is empty, since nothing can prove that it is remembered.
func (p position) String() string {
	if p.id == "" {
		return ""
	}
	return cursorVersion + ":" + strconv.FormatInt(p.nano, 10) + ":" + p.id
}

// parsePosition reads a cursor; ok is false for all that is none of ours.
func parsePosition(cursor string) (p position, ok bool) {
	parts := strings.SplitN(cursor, ":", 3)
	if len(parts) != 3 || parts[0] != cursorVersion || parts[2] == "" {
		return p, false
	}
	nano, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || nano <= overlap {
		return p, false
	}
	return position{nano, parts[2]}, true
}

func (p position) time() time.Time { return time.Unix(0, p.nano).UTC() }

// since is where a stream begins that misses nothing after the position.
func (p position) since() string { return seconds(max(p.nano-overlap, 1)) }

// seconds spells a moment as the engine's API does.
func seconds(nano int64) string {
	return fmt.Sprintf("%d.%09d", nano/int64(time.Second), nano%int64(time.Second))
}
