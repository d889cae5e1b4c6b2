package plan

import (
	"fmt"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// image returns the step that brings a workload's image to a host (-1 where it is there), and the image as that
// host will know it.
func (m *maker) image(h *host, w *work) (int, *fleet.Image) {
	h.index()
	want := w.want.Spec.Image
	image := want
	seen, ok := findImage(h.obs, want.Ref)
	switch {
	case ok && (seen.Matches(want) || m.sameImage(seen, want)):
		image.ID = seen.ID
		return -1, m.images.put(image)
	case want.Pin() == "":
		return -1, m.images.put(image)
	}
	if kept, found := findImage(h.obs, pinRef(want)); found { // under no tag, or not under its own
		image.ID = kept.ID
		return -1, m.images.put(image)
	}
	local, here := m.in.Answers.Local[want.Ref]
	here = here && (local.Matches(want) || m.sameImage(local, want))
	if kept, found := m.in.Answers.Local[pinRef(want)]; found && !here {
		local, here = kept, true
	}
	kind := KindPull
	switch missing := m.in.Answers.Registry[want.Ref].Missing; {
	case w.want.PullPolicy == fleet.PullNever:
		m.lacking(w, h)
		return -1, nil
	case want.Digest != "" && !(missing && here):
		image.ID = "" // its own engine's id is known once it is there
	case here:
		kind, image.ID = KindSend, local.ID
	default:
		m.unobtainable(w, h)
		return -1, nil
	}
	at := m.images.put(image)
	key := want.Ref + " " + want.Pin()
	step, made := h.imageStep[key]
	if !made {
		reason := "needed by " + string(w.addr)
		if ok {
			reason = fmt.Sprintf("another image has the tag on %s", h.Name)
		}
		step = m.add(Step{Kind: kind, Host: h.Name, Addr: w.addr, Reason: reason, Image: at})
		h.imageStep[key] = step
	}
	return step, at
}

// sameImage reports whether an image that carries no matching digest is the pinned one all the same: one that was
// sent has no digest, but the id of those that have it.
func (m *maker) sameImage(o fleet.ObservedImage, want fleet.Image) bool {
	if want.Digest == "" || o.ID == "" {
		return false
	}
	ids, known := m.pinIDs[want]
	if !known {
		ids = map[string]bool{}
		for _, s := range m.in.View.Hosts {
			if s.Observation == nil {
				continue
			}
			if i, ok := findImage(s.Observation, want.Ref); ok && i.Matches(want) {
				ids[i.ID] = true
			}
		}
		if l, ok := m.in.Answers.Local[want.Ref]; ok && l.Matches(want) {
			ids[l.ID] = true
		}
		m.pinIDs[want] = ids
	}
	return ids[o.ID]
}

// lacking: the image may not be pulled and is not there.
func (m *maker) lacking(w *work, h *host) {
	m.imageProblem(diag.Diagnostic{
		Code:    diag.CodeImageNever,
		Summary: "Image may not be pulled, and a host lacks it",
		Detail:  fmt.Sprintf("%s is to run on %s, which does not have %s, and pull_policy is \"never\".", w.addr, h.Name, w.want.Spec.Image.Ref),
		Remedy:  fmt.Sprintf("docker pull %s   on %s, or set pull_policy = \"missing\"", w.want.Spec.Image.Ref, h.Name),
	}, h, w)
}

// unobtainable: the pinned image is known by the engines' id only, so no registry has it, and this machine has not.
func (m *maker) unobtainable(w *work, h *host) {
	i := w.want.Spec.Image
	m.imageProblem(diag.Diagnostic{
		Code:    diag.CodeImageNotFound,
		Summary: "Image cannot be brought to a host",
		Detail: fmt.Sprintf("%s is to run on %s, which does not have %s (%s). No registry is known to have that image, and this machine's engine does not have it.",
			w.addr, h.Name, i.Ref, short(i.Pin())),
		Remedy: fmt.Sprintf("docker push %s   from a machine that has it, or load it here, so that it can be sent", i.Ref),
	}, h, w)
}

// imageProblem reports a problem once for each workload and host.
func (m *maker) imageProblem(d diag.Diagnostic, h *host, w *work) {
	k := string(w.name) + " " + string(h.Name)
	if !m.imageProblems[k] {
		m.imageProblems[k] = true
		d.Affected = "Nothing was changed."
		m.diags = append(m.diags, d)
	}
}

// short is a digest as people see it.
func short(digest string) string {
	if len(digest) > len("sha256:")+12 {
		return digest[:len("sha256:")+12]
	}
	return digest
}
