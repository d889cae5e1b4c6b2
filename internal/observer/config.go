package observer

import (
	"cmp"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Config says what to watch.
type Config struct {
	Hosts   []Host
	Ours    Reader        // which containers to watch, and what they are
	Probe   Probe         // nil: nobody is asked, and health is unknown
	Every   time.Duration // between looks at one engine; 0: 100 ms
	Timeout time.Duration // of one question, to an engine or to a replica; 0: 1 s
	Silence time.Duration // between two looks, beyond which there is a gap; 0: 20 intervals
}

func (c Config) withDefaults() Config {
	c.Every = cmp.Or(c.Every, 100*time.Millisecond)
	c.Timeout = cmp.Or(c.Timeout, time.Second)
	c.Silence = cmp.Or(c.Silence, 20*c.Every)
	return c
}

// Host is an engine to ask.
type Host struct {
	Name   string
	Socket string // the path of its unix socket, as seen from here
	Addr   string // where its published ports are reached from here
}

// Identity is what a container says it is.
type Identity struct {
	Workload   string
	Slot       int // -1: it does not say
	Generation int // -1: it does not say
	Revision   string
}

// Reader reads what a container is from its name, which has no leading slash, and its labels. It returns false for one
// that is not ours. It is called by several goroutines at once.
type Reader func(name string, labels map[string]string) (Identity, bool)

// The labels by which replicas are told apart, spelled here once more on purpose.
const (
	labelFleet      = "stowage.fleet"
	labelWorkload   = "stowage.workload"
	labelSlot       = "stowage.slot"
	labelGeneration = "stowage.generation"
	labelRevision   = "stowage.revision"
)

// ByFleet reads containers that carry a fleet's UUID.
func ByFleet(uuid string) Reader {
	return func(_ string, labels map[string]string) (Identity, bool) {
		return Identity{
			Workload: labels[labelWorkload], Slot: number(labels[labelSlot]),
			Generation: number(labels[labelGeneration]), Revision: labels[labelRevision],
		}, uuid != "" && labels[labelFleet] == uuid
	}
}

// ByName reads containers that are called <fleet>-<workload>-<slot>-g<generation>, or otherwise begin with <fleet>-, for
// where the UUID is not known yet. Of the labels only the revision is read: labels that contradict the name show.
func ByName(fleet string) Reader {
	form := regexp.MustCompile(`^(.+)-([0-9]+)-g([0-9]+)$`)
	return func(name string, labels map[string]string) (Identity, bool) {
		rest, ok := strings.CutPrefix(name, fleet+"-")
		if !ok {
			return Identity{}, false
		}
		i := Identity{Workload: rest, Slot: -1, Generation: -1, Revision: labels[labelRevision]}
		if parts := form.FindStringSubmatch(rest); parts != nil {
			i.Workload, i.Slot, i.Generation = parts[1], number(parts[2]), number(parts[3])
		}
		return i, true
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// Probe names the URL at which a live container is asked whether it is healthy; "": it is not asked. A GET that is
// answered with a status from 200 to 399 is healthy. It is called by several goroutines at once.
type Probe func(Container) string

// Published probes the host's port at which a container's TCP port is published.
func Published(port int, path string) Probe {
	return func(c Container) string {
		for _, p := range c.Ports {
			if p.Container == port {
				return "http://" + p.Addr + path
			}
		}
		return ""
	}
}

// publishedAt is where a port that an engine publishes at ip is reached from here.
func publishedAt(ip string, port int, host Host) string {
	if parsed := net.ParseIP(ip); parsed == nil || parsed.IsUnspecified() {
		ip = host.Addr
	}
	return net.JoinHostPort(ip, strconv.Itoa(port))
}
