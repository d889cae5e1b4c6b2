package plan

import "fmt"

// stowageLines is a stowage as fixtures have it: a line a host, then a line a replica.
func stowageLines(s *Stowage) (lines []string) {
	if s == nil {
		return nil
	}
	for _, b := range s.Hosts {
		line := fmt.Sprintf("%s of %s", b.Host.Name, b.Capacity.Memory)
		for _, x := range []struct {
			is   bool
			word string
		}{{!b.Known, "silent"}, {b.Lost, "lost"}, {b.Added, "added"}, {b.Host.Drain, "drained"}} {
			if x.is {
				line += " " + x.word
			}
		}
		lines = append(lines, line)
	}
	for _, b := range s.Berths {
		action := string(b.Action)
		if action == "" {
			action = "stays"
		}
		line := fmt.Sprintf("%s %s %s->%s %s->%s", action, b.Replica.Addr(), b.From, b.Host, b.Before.Memory, b.After.Memory)
		if b.Seen != nil {
			line += " " + string(b.Seen.Phase)
		}
		if b.Reason != "" {
			line += " (" + b.Reason + ")"
		}
		lines = append(lines, line)
	}
	return lines
}
