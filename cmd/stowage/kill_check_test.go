package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/bolt"
)

// heals runs a change once more, which has to do all that is left to do.
func (k *killing) heals(c *change) {
	k.t.Helper()
	cmd := k.command(c)
	cmd.Env = k.env
	if out, err := cmd.CombinedOutput(); err != nil {
		k.fail(c, "the command once more: %v\n%s", err, out)
	}
	if c.replicas > 0 {
		if out, err := k.stowage("stowage", "plan", "-detailed-exitcode").CombinedOutput(); err != nil {
			k.fail(c, "the plan after it: %v\n%s", err, out)
		}
	}
	snap := k.recorded()
	there := k.there(snap.Meta.ID)
	if diff := cmp.Diff(recordsOf(snap), there); diff != "" {
		k.fail(c, "-recorded +there\n%s", diff)
	}
	containers := 0
	for _, object := range there {
		if strings.HasPrefix(object, "container ") {
			containers++
		}
	}
	if containers != c.replicas || c.replicas == 0 && len(there) > 0 {
		k.fail(c, "got %d replicas among %q, want %d", containers, there, c.replicas)
	}
	if len(snap.Intents) > 0 {
		k.fail(c, "got intents %+v, want none", snap.Intents)
	}
	if diff := cmp.Diff(k.foreign, k.strangers()); diff != "" {
		k.fail(c, "what is not the fleet's: -before +after\n%s", diff)
	}
}

// witness checks a state as a killed process left it: each container has a record or an intent.
func (k *killing) witness(c *change) {
	k.t.Helper()
	snap := k.recorded()
	accounted := recordsOf(snap)
	for _, object := range k.there(snap.Meta.ID) {
		kind, _, _ := strings.Cut(object, " ")
		meant := func(in state.Intent) bool {
			return strings.HasPrefix(object, fmt.Sprintf("%s %s %s ", kind, in.Host, in.Object))
		}
		if !slices.Contains(accounted, object) && !slices.ContainsFunc(snap.Intents, meant) {
			k.fail(c, "%s has neither a record nor an intent:\n%s\n%+v", object, strings.Join(accounted, "\n"), snap.Intents)
		}
	}
}

// fail ends the test, naming the place of the last death.
func (k *killing) fail(c *change, format string, args ...any) {
	k.t.Helper()
	where := "never"
	if places := placesOf(k.places(c)); len(places) > 0 {
		where = places[len(places)-1]
	}
	k.t.Fatalf("%s, killed last %s: %s", c.name, where, fmt.Sprintf(format, args...))
}

// recorded reads the state.
func (k *killing) recorded() *state.Snapshot {
	k.t.Helper()
	s, err := bolt.Open(filepath.Join(k.dir, ".stowage"), fleet.Name(k.name))
	k.check(err)
	defer s.Close()
	snap, err := state.Load(k.t.Context(), s)
	k.check(err)
	return snap
}

// recordsOf lists what the state says there is, in the words of there.
func recordsOf(s *state.Snapshot) []string {
	var all []string
	for id, r := range s.Replicas {
		if r.Container != "" { // else the slot is vacant: its generation is remembered
			name := fleet.ContainerName(s.Meta.Name, id, r.Generation)
			all = append(all, fmt.Sprintf("container %s %s %s", r.Host, name, r.Container))
		}
	}
	for _, v := range s.Volumes {
		all = append(all, fmt.Sprintf("volume %s %s ", v.Host, v.Engine))
	}
	for _, n := range s.Networks {
		all = append(all, fmt.Sprintf("network %s %s ", n.Host, n.Engine))
	}
	slices.Sort(all)
	return all
}

// there lists what carries the fleet's label on its hosts: kind, host, name and, of containers, the engine's id.
func (k *killing) there(id fleet.ID) []string {
	k.t.Helper()
	var all []string
	if id == "" { // killed before the fleet had an identity: whatever has its name is too much
		for _, h := range k.hosts {
			names, err := h.Docker(k.t.Context(), "ps", "-aq", "--filter", "name=^"+k.name+"-web-")
			k.check(err)
			all = append(all, strings.Fields(names)...)
		}
		return all
	}
	for _, h := range k.hosts {
		api, labelled := h.API(), filters.NewArgs(filters.Arg("label", fmt.Sprintf("%s=%s", fleet.LabelFleet, id)))
		containers, err := api.ContainerList(k.t.Context(), container.ListOptions{All: true, Filters: labelled})
		k.check(err)
		for _, c := range containers {
			all = append(all, fmt.Sprintf("container %s %s %s", h.Name, strings.TrimPrefix(c.Names[0], "/"), c.ID))
		}
		volumes, err := api.VolumeList(k.t.Context(), volume.ListOptions{Filters: labelled})
		k.check(err)
		for _, v := range volumes.Volumes {
			all = append(all, fmt.Sprintf("volume %s %s ", h.Name, v.Name))
		}
		networks, err := api.NetworkList(k.t.Context(), network.ListOptions{Filters: labelled})
		k.check(err)
		for _, n := range networks {
			all = append(all, fmt.Sprintf("network %s %s ", h.Name, n.Name))
		}
	}
	slices.Sort(all)
	return all
}

// stranger is the name of what others have on each host: it begins as the fleet's own names do.
func (k *killing) stranger() string { return k.name + "-stranger" }

// arrive makes a running container, a volume and a network of others on a host, with another fleet's label.
func (k *killing) arrive(h *testfleet.Host) {
	label := fleet.LabelFleet + "=11111111-2222-4333-8444-555555555555"
	for _, words := range [][]string{
		{"volume", "create", "--label", label, k.stranger()},
		{"network", "create", "--label", label, k.stranger()},
		{"run", "-d", "--name", k.stranger(), "--label", label, "--network", k.stranger(), "-v", k.stranger() + ":/data", "stowage-web:1"},
	} {
		_, err := h.Docker(k.t.Context(), words...)
		k.check(err)
	}
}

// strangers says what is left of what others have, by host: identities and when the container was started.
func (k *killing) strangers() map[string]string {
	k.t.Helper()
	all := map[string]string{}
	for _, h := range k.hosts {
		c, err := h.API().ContainerInspect(k.t.Context(), k.stranger())
		k.check(err)
		v, err := h.API().VolumeInspect(k.t.Context(), k.stranger())
		k.check(err)
		n, err := h.API().NetworkInspect(k.t.Context(), k.stranger(), network.InspectOptions{})
		k.check(err)
		all[h.Name] = fmt.Sprint(c.ID, c.State.Running, c.State.StartedAt, c.HostConfig.Memory, v.CreatedAt, n.ID)
	}
	return all
}
