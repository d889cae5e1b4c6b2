package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// Pin returns the desired fleet with every image pinned, how each came by its pin, and what keeps one from being
// pinned. The fleet handed in is not changed. Which hosts then get an image is decided by Make, which knows
// where replicas stand.
func Pin(desired *fleet.Fleet, s *state.Snapshot, v fleet.View, a Answers) (*fleet.Fleet, []ImageNote, diag.List) {
	pinned := *desired
	pinned.Workloads = slices.Clone(desired.Workloads)
	var notes []ImageNote
	var diags diag.List
	for _, u := range uses(desired, s, v) {
		image, why, problem := u.pin(a)
		if problem != nil {
			problem.Detail = fmt.Sprintf("%s is wanted by %s. ", u.ref, u.wanters(desired)) + problem.Detail
			diags = append(diags, *problem)
			continue
		}
		for _, i := range u.workloads {
			pinned.Workloads[i].Spec.Image = image
		}
		notes = append(notes, u.note(image, why))
	}
	return &pinned, notes, diags
}

// wanters names the workloads, for people.
func (u *use) wanters(f *fleet.Fleet) string {
	var names []string
	for _, i := range u.workloads {
		names = append(names, string(fleet.WorkloadAddr(f.Workloads[i].Name)))
	}
	return list(names, 4)
}

// note tells which hosts have the pinned image and which another under its reference.
func (u *use) note(image fleet.Image, why string) ImageNote {
	n := ImageNote{Image: image, Why: why}
	for _, c := range u.candidates {
		if c.matches(image) {
			n.Has = append(n.Has, c.hosts...)
			continue
		}
		for _, h := range c.hosts {
			if n.Other == nil {
				n.Other = map[fleet.HostName]string{}
			}
			n.Other[h] = c.id
		}
	}
	slices.Sort(n.Has)
	return n
}

// pin decides what the reference stands for.
func (u *use) pin(a Answers) (fleet.Image, string, *diag.Diagnostic) {
	if u.kept {
		return u.literal, "as its release had it", nil
	}
	if u.literal.Pin() != "" {
		return u.literal, "as the configuration says", nil
	}
	if u.policy == fleet.PullAlways {
		return u.fromRegistry(a)
	}
	if len(u.candidates) > 0 {
		return u.fromHosts(), "as the hosts have it", nil
	}
	if i, ok := u.fromRecord(a); ok {
		return i, "as recorded", nil
	}
	if u.policy == fleet.PullNever {
		return fleet.Image{}, "", &diag.Diagnostic{
			Code:    diag.CodeImageNever,
			Summary: "Image is on no host and may not be pulled",
			Detail:  "No eligible host that answered has it, and pull_policy is \"never\".",
			Remedy:  fmt.Sprintf("docker pull %s   on a host, or set pull_policy = \"missing\"", u.ref),
		}
	}
	if d := a.Registry[u.ref].Digest; d != "" {
		return fleet.Image{Ref: u.ref, Digest: d}, "as " + registryOf(u.ref) + " answers", nil
	}
	if l, ok := a.Local[u.ref]; ok {
		return fleet.Image{Ref: u.ref, ID: l.ID}, "from this machine", nil
	}
	return fleet.Image{}, "", u.notFound(a)
}

// fromRegistry is `always`: the registry's answer wins, and without one there is no plan.
func (u *use) fromRegistry(a Answers) (fleet.Image, string, *diag.Diagnostic) {
	r := a.Registry[u.ref]
	switch {
	case r.Digest != "":
		return fleet.Image{Ref: u.ref, Digest: r.Digest}, "as " + registryOf(u.ref) + " answers", nil
	case r.Missing:
		return fleet.Image{}, "", &diag.Diagnostic{
			Code:    diag.CodeImageNotFound,
			Summary: "Image not found",
			Detail:  fmt.Sprintf("pull_policy is \"always\", and %s does not have it%s.", registryOf(u.ref), because(r.Why)),
			Remedy:  fmt.Sprintf("docker push %s   or correct the image argument", u.ref),
		}
	}
	return fleet.Image{}, "", &diag.Diagnostic{
		Code:    diag.CodeRegistry,
		Summary: "The registry did not answer",
		Detail:  fmt.Sprintf("pull_policy is \"always\", so %s is asked at every plan%s.", registryOf(u.ref), because(r.Why)),
		Remedy:  fmt.Sprintf("docker login %s   if it wants credentials, or set pull_policy = \"missing\" to use what the hosts have", registryOf(u.ref)),
	}
}

// fromHosts is the best candidate's pin; the recorded one, word for word, where it is the same image: so the
// revision stays and nothing is replaced.
func (u *use) fromHosts() fleet.Image {
	c := u.candidates[0]
	for _, r := range u.recorded {
		if c.matches(r) {
			return r
		}
	}
	if len(c.digests) > 0 {
		return fleet.Image{Ref: u.ref, Digest: c.digests[0]}
	}
	return fleet.Image{Ref: u.ref, ID: c.id}
}

// fromRecord keeps the pin of before where no host that answered has the reference: the tag may be gone while
// containers made from it run, or its hosts are silent. A pin by id is given up only for what can be had instead.
func (u *use) fromRecord(a Answers) (fleet.Image, bool) {
	for _, r := range u.recorded {
		if r.Digest != "" {
			return r, true
		}
	}
	l, here := a.Local[u.ref]
	for _, r := range u.recorded {
		if here && l.ID == r.ID || !here && a.Registry[u.ref].Digest == "" {
			return r, true
		}
	}
	return fleet.Image{}, false
}

func (u *use) notFound(a Answers) *diag.Diagnostic {
	said := registryOf(u.ref) + " was not asked"
	if r, asked := a.Registry[u.ref]; asked {
		said = registryOf(u.ref) + " does not have it" + because(r.Why)
		if !r.Missing {
			said = registryOf(u.ref) + " did not answer" + because(r.Why)
		}
	}
	return &diag.Diagnostic{
		Code:    diag.CodeImageNotFound,
		Summary: "Image not found",
		Detail:  fmt.Sprintf("No host has it (%s); %s; this machine's engine does not have it either.", list(u.lacks, 6), said),
		Remedy:  fmt.Sprintf("docker build -t %s .   here, or docker push it, or correct the image argument", u.ref),
	}
}

// because appends an explanation, if there is one.
func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

// list joins names for people: at most limit of them, then how many more.
func list[T ~string](names []T, limit int) string {
	var b strings.Builder
	for i, n := range names {
		if i == limit && len(names) > limit+1 {
			fmt.Fprintf(&b, " and %d more", len(names)-limit)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(n))
	}
	return b.String()
}
