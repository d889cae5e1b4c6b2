// Package health tells whether replicas do their work: Probe asks one once, a Tracker makes a status of the answers.
//
// Replicas are asked from outside, through the connection to their host, so an image needs no shell and no client for it.
// What could not be asked is Unknown, which is not Unhealthy: that we cannot reach a host says nothing of what runs there.
package health

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stowage-run/stowage/fleet"
)

// Target is a container to ask.
type Target struct {
	Container string // the engine's id
	Check     fleet.Healthcheck
	Port      uint16 // the container's, for all kinds that need one
}

// Verdict is what one answer says.
type Verdict string

// The verdicts.
const (
	Healthy   Verdict = "healthy"
	Unhealthy Verdict = "unhealthy"
	Starting  Verdict = "starting" // of CheckImage: the image's own check has not made up its mind
	Unknown   Verdict = "unknown"  // it could not be asked, or nobody answered for it
)

// Answer is what came of one probe.
type Answer struct {
	Verdict Verdict
	// Said is one line for people, of a few hundred bytes at most, with what the container said in it: untrusted text, from
	// which whoever prints it strips control sequences.
	Said string
	Time time.Time // when the probe ended

	// What the engine says of the container; zero where it did not answer. They tell one life of a container from the next.
	Started  time.Time // by the host's clock
	Restarts int
	Ended    bool // it does not run, and its engine will not start it again by itself
}

// maxSaid bounds what is kept of a container's words, in bytes: a line on a terminal or two.
const maxSaid = 200

// cut keeps the beginning of a text.
func cut(s string) string {
	if len(s) <= maxSaid {
		return s
	}
	end := maxSaid
	for end > maxSaid-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}

// firstLine is the first line of a text that has anything in it.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			return cut(line)
		}
	}
	return ""
}

// lastLine is the last one.
func lastLine(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	return cut(last)
}
