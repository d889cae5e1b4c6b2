package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// ImageQuestion is what has to be known of an image reference beyond what the hosts say, before it can be pinned.
type ImageQuestion struct {
	Ref      string
	Registry bool // ask the registry which digest it has now
	Local    bool // look whether this machine's engine has it
}

// Answers are the answers to image questions, by reference. A question that was asked and has no answer in Local
// means that this machine does not have the image.
type Answers struct {
	Registry map[string]RegistryAnswer
	Local    map[string]fleet.ObservedImage
}

// RegistryAnswer is what a registry said of a reference.
type RegistryAnswer struct {
	Digest  string // empty: Why says why
	Missing bool   // it answered, and does not have the image (or does not show it to us)
	Why     string // for people
}

// ImageRefs returns the references that hosts must be asked about, sorted: those declared and, so that
// nothing moves for want of a look, those recorded. An image that is wanted by its pin, as that of an older release is, is asked
// for by the pin as well: its tag may stand for another image by now.
func ImageRefs(desired *fleet.Fleet, s *state.Snapshot) []string {
	refs := map[string]bool{}
	for i := range desired.Workloads {
		refs[desired.Workloads[i].Spec.Image.Ref] = true
		refs[pinRef(desired.Workloads[i].Spec.Image)] = true
	}
	for _, w := range s.Workloads {
		refs[w.Spec.Image.Ref] = true
	}
	for _, r := range s.Rollouts {
		if r.Good != nil {
			refs[r.Good.Spec.Image.Ref], refs[pinRef(r.Good.Spec.Image)] = true, true
		}
	}
	delete(refs, "")
	return slices.Sorted(maps.Keys(refs))
}

// Questions returns what must be asked of registries and of this machine before Pin, sorted by reference, those by pin last.
// Where the hosts have an image, and nobody said `always`, no registry is asked.
func Questions(desired *fleet.Fleet, s *state.Snapshot, v fleet.View) []ImageQuestion {
	var out, byPin []ImageQuestion
	for _, u := range uses(desired, s, v) {
		q := ImageQuestion{Ref: u.ref}
		pinned := u.literal.Pin() != "" || u.recordedDigest()
		switch {
		case u.policy == fleet.PullNever || u.literal.Digest != "":
		case u.kept:
			q.Local = true
			if pin := (ImageQuestion{Ref: pinRef(u.literal), Local: true}); !slices.Contains(byPin, pin) {
				byPin = append(byPin, pin)
			}
		case u.policy == fleet.PullAlways:
			q.Registry = true
		case len(u.candidates) == 0 && !pinned:
			q.Registry, q.Local = true, true
		case len(u.lacks) > 0 && len(u.candidates) > 0 && !u.digest():
			q.Local = true
		}
		switch n := len(out); {
		case !q.Registry && !q.Local:
		case n > 0 && out[n-1].Ref == q.Ref:
			out[n-1].Registry = out[n-1].Registry || q.Registry
			out[n-1].Local = out[n-1].Local || q.Local
		default:
			out = append(out, q)
		}
	}
	return append(out, byPin...)
}

// use is one reference under one way of pinning it, with who wants it and who has it.
type use struct {
	ref        string
	policy     fleet.PullPolicy // "missing" and "never" pin alike, from what the hosts have
	workloads  []int            // into the fleet's
	literal    fleet.Image      // the reference names the image itself, or the image came with its pin; zero: neither
	kept       bool             // it came with its pin
	recorded   []fleet.Image    // earlier pins of the reference, sorted
	candidates []candidate      // what eligible hosts have under it, best first
	lacks      []fleet.HostName // eligible hosts that answered and have nothing under it
}

// candidate is one image that hosts have under a reference.
type candidate struct {
	id      string
	digests []string // sorted
	created int64    // nanoseconds
	hosts   []fleet.HostName
}

func (c candidate) matches(i fleet.Image) bool {
	return i.ID != "" && c.id == i.ID || i.Digest != "" && slices.Contains(c.digests, i.Digest)
}

// digest reports whether the image that would be chosen can be pulled.
func (u *use) digest() bool {
	return len(u.candidates) > 0 && len(u.candidates[0].digests) > 0
}

func (u *use) recordedDigest() bool {
	return slices.ContainsFunc(u.recorded, func(i fleet.Image) bool { return i.Digest != "" })
}

// uses collects the references, sorted by reference and then policy. Workloads without replicas want nothing yet.
func uses(desired *fleet.Fleet, s *state.Snapshot, v fleet.View) []use {
	type key struct {
		ref    string
		policy fleet.PullPolicy
		pinned fleet.Image // it comes with a pin, and keeps it
	}
	byKey := map[key]*use{}
	for i := range desired.Workloads {
		w := &desired.Workloads[i]
		if w.Mode != fleet.Global && w.Replicas == 0 {
			continue
		}
		k := key{ref: w.Spec.Image.Ref, policy: w.PullPolicy}
		if w.Spec.Image.Pin() != "" {
			k.pinned = w.Spec.Image
		}
		if k.policy == "" {
			k.policy = fleet.PullMissing
		}
		if byKey[k] == nil {
			byKey[k] = &use{ref: k.ref, policy: k.policy, literal: literal(k.ref), recorded: recordedPins(s, k.ref)}
			if k.pinned.Pin() != "" {
				byKey[k].literal, byKey[k].kept = k.pinned, true
			}
		}
		byKey[k].workloads = append(byKey[k].workloads, i)
	}
	keys := slices.SortedFunc(maps.Keys(byKey), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.ref, b.ref), cmp.Compare(a.policy, b.policy), cmp.Compare(a.pinned.Pin(), b.pinned.Pin()))
	})
	out := make([]use, 0, len(keys))
	for _, k := range keys {
		u := byKey[k]
		u.look(desired, v)
		out = append(out, *u)
	}
	return out
}

// literal returns the image that a reference names by itself: "repository@sha256:..." or "sha256:...".
func literal(ref string) fleet.Image {
	if strings.HasPrefix(ref, "sha256:") {
		return fleet.Image{Ref: ref, ID: ref}
	}
	if _, d, ok := strings.Cut(ref, "@"); ok {
		return fleet.Image{Ref: ref, Digest: d}
	}
	return fleet.Image{}
}

// pinRef is the reference by which an engine finds a pinned image whatever its tag stands for now; empty where the image has no
// pin, or its own reference is that already.
func pinRef(i fleet.Image) string {
	switch {
	case i.Pin() == "" || literal(i.Ref).Pin() != "":
		return ""
	case i.Digest == "":
		return i.ID
	}
	repository := i.Ref
	if colon := strings.LastIndexByte(repository, ':'); colon > strings.LastIndexByte(repository, '/') {
		repository = repository[:colon]
	}
	return repository + "@" + i.Digest
}

// recordedPins returns what a reference was pinned to before.
func recordedPins(s *state.Snapshot, ref string) []fleet.Image {
	seen := map[fleet.Image]bool{}
	for _, w := range s.Workloads {
		if i := w.Spec.Image; i.Ref == ref && i.Pin() != "" {
			seen[i] = true
		}
	}
	if len(seen) == 0 { // a rebuilt or partly applied state has specs only
		for _, sp := range s.Specs {
			if i := sp.Image; i.Ref == ref && i.Pin() != "" {
				seen[i] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b fleet.Image) int {
		return cmp.Or(cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.ID, b.ID))
	})
}

// look collects what the hosts that may run the workloads have under the reference.
func (u *use) look(desired *fleet.Fleet, v fleet.View) {
	var found []candidate
	for i := range desired.Hosts {
		h := &desired.Hosts[i]
		if !slices.ContainsFunc(u.workloads, func(w int) bool { return eligible(h, &desired.Workloads[w]) }) {
			continue
		}
		o, ok := v.Known(h.Name)
		if !ok {
			continue
		}
		img, ok := findImage(o, u.ref)
		if !ok {
			u.lacks = append(u.lacks, h.Name)
			continue
		}
		found = merge(found, img, h.Name)
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(-cmp.Compare(a.created, b.created), u.wasPinned(b)-u.wasPinned(a),
			len(b.hosts)-len(a.hosts), cmp.Compare(a.id, b.id))
	})
	u.candidates = found
}

func (u *use) wasPinned(c candidate) int {
	if slices.ContainsFunc(u.recorded, c.matches) {
		return 1
	}
	return 0
}

// merge adds a host's image to the candidates: one image may have different ids on engines of different kinds, and no
// digest where it was sent.
func merge(found []candidate, img fleet.ObservedImage, h fleet.HostName) []candidate {
	for i := range found {
		c := &found[i]
		same := c.id == img.ID || slices.ContainsFunc(img.Digests, func(d string) bool { return slices.Contains(c.digests, d) })
		if same {
			c.hosts = append(c.hosts, h)
			c.digests = append(c.digests, img.Digests...)
			slices.Sort(c.digests)
			c.digests = slices.Compact(c.digests)
			c.id = min(c.id, img.ID)
			return found
		}
	}
	digests := slices.Clone(img.Digests)
	slices.Sort(digests)
	return append(found, candidate{img.ID, digests, img.Created.UnixNano(), []fleet.HostName{h}})
}

// eligible reports whether a workload may ever stand on a host, going by what the configuration says of both.
func eligible(h *fleet.Host, w *fleet.Workload) bool {
	if len(w.Placement.Hosts) > 0 && !slices.Contains(w.Placement.Hosts, h.Name) {
		return false
	}
	for k, want := range w.Placement.Labels {
		if has, ok := h.Labels[k]; !ok || has != want {
			return false
		}
	}
	return true
}

// findImage returns what a host has under a reference.
func findImage(o *fleet.Observation, ref string) (fleet.ObservedImage, bool) {
	i := slices.IndexFunc(o.Images, func(i fleet.ObservedImage) bool { return i.Ref == ref })
	if i < 0 {
		return fleet.ObservedImage{}, false
	}
	return o.Images[i], true
}

// registryOf is the registry that a reference names, for people.
func registryOf(ref string) string {
	first, _, ok := strings.Cut(ref, "/")
	if ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return first
	}
	return "docker.io"
}
