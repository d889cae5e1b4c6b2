package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// Judge says what an engine can change on a container without making a new one. It is a value, so that the plan
// stays a function of its arguments.
type Judge struct {
	Limits          bool     // limits and restart policy
	LiftLimits      bool     // a limit can be taken away, not only changed
	Files           bool     // files, unless the root file system is read-only
	DefaultNetworks []string // that a container is on without having asked
}

// Docker is the judgement for Docker. A limit of zero in its update call means "leave as it is", so taking a limit
// away needs a new container; and it copies nothing into a read-only root file system.
func Docker() Judge {
	return Judge{Limits: true, Files: true, DefaultNetworks: []string{"bridge", "host", "none"}}
}

// delta is what changes from one spec to another.
type delta struct {
	diff     []Difference
	reason   string   // for people: "env.LOG_LEVEL changed"
	replaces bool     // needs a new container
	limits   bool     // Update
	files    []string // paths to write
	signals  []string // to send once they are written; sorted
	restarts bool     // the container has to be restarted once they are written
}

// compare judges the differences between two specs. A nil old is a spec that nobody remembers.
func (j Judge) compare(old, new *fleet.Spec) delta {
	if old == nil {
		return delta{replaces: true, reason: "the configuration changed; what it was before is not recorded"}
	}
	var d delta
	var paths, forcing []string
	files := map[string]bool{}
	for _, x := range diffAttributes(SpecAttributes(*old), SpecAttributes(*new)) {
		replaces := j.replaces(x, new)
		d.diff = append(d.diff, x.public(replaces))
		paths = append(paths, x.path())
		switch {
		case replaces:
			d.replaces = true
			forcing = append(forcing, x.path())
		case x.effect() == Limits:
			d.limits = true
		case x.effect() == Writes:
			files[filePath(x.path())] = true
		}
	}
	if d.replaces {
		d.reason = changed(forcing)
		return d
	}
	d.reason = changed(paths)
	for i := range new.Files {
		if f := &new.Files[i]; files[f.Path] {
			d.write(f)
		}
	}
	slices.Sort(d.signals)
	d.signals = slices.Compact(d.signals)
	return d
}

// write notes a file that changes, and what has to follow.
func (d *delta) write(f *fleet.File) {
	d.files = append(d.files, f.Path)
	sig, signal := strings.CutPrefix(f.OnChange, "signal:")
	switch {
	case signal:
		d.signals = append(d.signals, sig)
	case f.OnChange != "none":
		d.restarts = true
	}
}

// replaces judges one difference.
func (j Judge) replaces(x difference, new *fleet.Spec) bool {
	switch x.effect() {
	case Records:
		// A file's on_change alone sends nothing; with the file gone, its content says so.
		return false
	case Writes:
		return !j.Files || new.ReadOnly || x.after == nil
	case Limits:
		return !j.Limits || x.after == nil && !j.LiftLimits
	}
	return true
}

// filePath takes the path out of file."/etc/app.conf".content.
func filePath(attribute string) string {
	s := strings.TrimPrefix(attribute, "file.")
	s = s[:strings.LastIndexByte(s, '.')]
	var path string
	if _, err := fmt.Sscanf(s, "%q", &path); err != nil {
		panic("plan: not the attribute of a file: " + attribute)
	}
	return path
}

// changed makes a reason of the paths that differ.
func changed(paths []string) string {
	switch {
	case len(paths) == 0:
		return ""
	case strings.HasPrefix(paths[0], "image"):
		paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return p == "image_pin" && slices.Contains(paths, "image") })
		if paths[0] == "image_pin" {
			paths[0] = "image"
		}
	}
	first := paths[0]
	if strings.HasPrefix(first, "file.") {
		first = first[:strings.LastIndexByte(first, '.')]
		paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return p != paths[0] && strings.HasPrefix(p, first+".") })
	}
	if len(paths) == 1 {
		return first + " changed"
	}
	return fmt.Sprintf("%s and %d more changed", first, len(paths)-1)
}

// knownRule reports whether this version can make revisions by the rule of r.
func knownRule(r fleet.Revision) bool { return strings.HasPrefix(string(r), "v1:") }
