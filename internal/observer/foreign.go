package observer

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Foreign is what is not ours on a set of hosts, by "host kind name" -> what must stay the same of it.
type Foreign map[string]string

// The networks that an engine makes for itself, anew at each start.
var predefined = [...]string{"bridge", "host", "none"}

// LookAround lists what is not ours on some hosts: containers with their ids, states and starts, volumes and networks. It asks each
// engine several questions, so nothing foreign may change meanwhile. A container is ours as Reader says; a volume or
// network, where it carries the UUID.
func LookAround(ctx context.Context, hosts []Host, ours Reader, uuid string) (Foreign, error) {
	found := Foreign{}
	for _, h := range hosts {
		e := newEngine(h)
		err := e.foreign(ctx, found, ours, uuid)
		e.close()
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (e engine) foreign(ctx context.Context, found Foreign, ours Reader, uuid string) error {
	if err := e.foreignContainers(ctx, found, ours); err != nil {
		return err
	}
	return e.foreignObjects(ctx, found, uuid)
}

func (e engine) foreignContainers(ctx context.Context, found Foreign, ours Reader) error {
	all, err := e.list(ctx)
	if err != nil {
		return err
	}
	for _, x := range all {
		if _, is := ours(x.name(), x.Labels); is {
			continue
		}
		var c struct {
			RestartCount int
			State        struct {
				Status, StartedAt string
			}
		}
		if err := e.get(ctx, "/containers/"+x.ID+"/json", &c); err != nil {
			return err
		}
		found[e.host.Name+" container "+x.name()] = fmt.Sprintf("%s %s since %s, restarted %d times", x.ID, c.State.Status, c.State.StartedAt, c.RestartCount)
	}
	return nil
}

func (e engine) foreignObjects(ctx context.Context, found Foreign, uuid string) error {
	var volumes struct {
		Volumes []struct {
			Name, CreatedAt string
			Labels          map[string]string
		}
	}
	if err := e.get(ctx, "/volumes", &volumes); err != nil {
		return err
	}
	for _, v := range volumes.Volumes {
		if uuid == "" || v.Labels[labelFleet] != uuid {
			found[e.host.Name+" volume "+v.Name] = v.CreatedAt
		}
	}
	var networks []struct {
		ID     string `json:"Id"`
		Name   string
		Labels map[string]string
	}
	if err := e.get(ctx, "/networks", &networks); err != nil {
		return err
	}
	for _, n := range networks {
		if !slices.Contains(predefined[:], n.Name) && (uuid == "" || n.Labels[labelFleet] != uuid) {
			found[e.host.Name+" network "+n.Name] = n.ID
		}
	}
	return nil
}

// Touched says what became of foreign things between two looks around: one line each, ordered. What is new counts too:
// it may be ours without saying so.
func Touched(before, after Foreign) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		now, there := after[name]
		switch {
		case !there:
			lines = append(lines, name+": gone")
		case now != before[name]:
			lines = append(lines, name+": was "+before[name]+", is "+now)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, there := before[name]; !there {
			lines = append(lines, name+": new")
		}
	}
	return lines
}
