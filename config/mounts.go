package config

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

func (d *decoder) mounts(s *fleet.Spec) {
	at := map[string]inner{}
	for _, n := range d.blocks("mount") {
		m, ok := n.mount()
		if first, seen := at[m.Target]; seen && ok {
			n.twice("mount at "+m.Target, first)
		}
		at[m.Target] = n
		d.join(n.decoder)
		if ok {
			s.Mounts = append(s.Mounts, m)
		}
	}
	d.tmpfs(s, at)
	slices.SortFunc(s.Mounts, func(a, b fleet.Mount) int { return strings.Compare(a.Target, b.Target) })
}

func (n inner) target() (string, bool) {
	t := n.label()
	if !strings.HasPrefix(t, "/") || strings.ContainsAny(t, "\x00:") || path.Clean(t) == "/" {
		n.add(diag.CodeValue, "Invalid value", n.at, fmt.Sprintf("%q is not an absolute path in the container.", t), "")
		return t, false
	}
	return path.Clean(t), true
}

func (n inner) mount() (fleet.Mount, bool) {
	m := fleet.Mount{ReadOnly: n.boolean("read_only", false)}
	var ok bool
	m.Target, ok = n.target()
	tmpfs := n.block("tmpfs")
	v, a, given := n.plain("source")
	switch {
	case tmpfs != nil && a != nil:
		n.add(diag.CodeValue, "Invalid value", a.at, "A mount has a source or is a tmpfs, not both.", "keep one of the two")
		return m, false
	case tmpfs != nil:
		m.Kind, m.Size = fleet.MountTmpfs, tmpfs.size("size")
		n.join(tmpfs)
		return m, ok
	case a == nil:
		n.add(diag.CodeMissing, "Missing argument", n.at, "A mount needs a source, or a tmpfs block.", `source = volume.NAME, source = "/path" or tmpfs {}`)
		return m, false
	case !given:
		return m, false
	}
	if id, isVolume := refTo(v, "volume"); isVolume {
		m.Kind, m.Volume = fleet.MountVolume, fleet.VolumeName(id)
		return m, ok
	}
	if v.Type() != cty.String {
		n.wrongType(a, `volume.NAME, "/path" or "./path"`, v)
		return m, false
	}
	p := v.AsString()
	if !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "./") && !strings.HasPrefix(p, "../") && p != "." && p != ".." {
		remedy := fmt.Sprintf("source = %q", "./"+p)
		if n.c.nodes["volume."+p] != nil {
			remedy = "source = volume." + p
		}
		n.bad(a, fmt.Sprintf("%q is neither a volume nor a path: a volume is referred to without quotes, a path begins with / or ./.", p), remedy)
		return m, false
	}
	if strings.ContainsAny(p, "\x00:") {
		n.bad(a, "A path with a colon or NUL in it cannot be mounted.", "")
		return m, false
	}
	m.Kind, m.Source = fleet.MountBind, n.c.absolute(p)
	return m, ok
}

// tmpfs reads Compose's short form: tmpfs = ["/run:size=64m"].
func (d *decoder) tmpfs(s *fleet.Spec, at map[string]inner) {
	a := d.body.attrs["tmpfs"]
	for _, t := range d.strings("tmpfs") {
		target, opts, _ := strings.Cut(t, ":")
		m := fleet.Mount{Kind: fleet.MountTmpfs, Target: path.Clean(target)}
		if !strings.HasPrefix(target, "/") || m.Target == "/" {
			d.bad(a, fmt.Sprintf("%q is not an absolute path in the container.", target), "")
			continue
		}
		if opts != "" {
			size, isSize := strings.CutPrefix(opts, "size=")
			n, remedy, err := parseSize(size)
			if !isSize || err != nil {
				d.bad(a, fmt.Sprintf("%q is not an option here; there is size=64MiB.", opts), remedy)
				continue
			}
			m.Size = n
		}
		if first, seen := at[m.Target]; seen || slices.ContainsFunc(s.Mounts, func(o fleet.Mount) bool { return o.Target == m.Target }) {
			where := ""
			if seen {
				where = " at " + rangeOf(first.at).String()
			}
			d.add(diag.CodeDuplicate, "Declared twice", a.expr.Range(), fmt.Sprintf("There is another mount of %s%s.", m.Target, where), "")
			continue
		}
		s.Mounts = append(s.Mounts, m)
	}
}

func (d *decoder) files(e *evaluation, s *fleet.Spec) {
	at := map[string]inner{}
	total := 0
	for _, n := range d.blocks("file") {
		f, size, ok := n.file(e)
		if first, seen := at[f.Path]; seen && ok {
			n.twice("file "+f.Path, first)
		}
		at[f.Path] = n
		total += size
		d.join(n.decoder)
		if ok {
			s.Files = append(s.Files, f)
		}
	}
	if total > maxFilesContent {
		d.add(diag.CodeBudget, "Files too large", d.at, fmt.Sprintf("The files of this workload have %d bytes together; at most 1 MiB travels with a container.", total), "put them into the image, or on a volume")
	}
	slices.SortFunc(s.Files, func(a, b fleet.File) int { return strings.Compare(a.Path, b.Path) })
}

func (n inner) file(e *evaluation) (f fleet.File, size int, ok bool) {
	f.Path, ok = n.target()
	f.Mode, f.OnChange = n.mode(), n.onChange()
	if !n.require("content") {
		return f, 0, false
	}
	v, a, given := n.value("content")
	if !given {
		if len(n.diags) == 0 {
			n.bad(a, "The content is null.", `content = ""`)
		}
		return f, 0, false
	}
	plain, marks := v.Unmark()
	if !plain.IsKnown() {
		return f, 0, n.isPlain(plain, a)
	}
	if plain.Type() != cty.String {
		n.wrongType(a, "a string", plain)
		return f, 0, false
	}
	size = len(plain.AsString())
	if size > maxFileContent {
		n.add(diag.CodeBudget, "File too large", a.expr.Range(), fmt.Sprintf("The content has %d bytes; at most 256 KiB of a file travels with a container.", size), "put it into the image, or on a volume")
		return f, size, false
	}
	f.Content = n.text(e, plain.WithMarks(marks))
	return f, size, ok
}

func (d *decoder) mode() uint32 {
	v, a, ok := d.plain("mode")
	if !ok {
		return 0o644
	}
	if v.Type() != cty.String {
		d.bad(a, "A mode is written in octal, as a string; a bare number would be decimal.", `mode = "0644"`)
		return 0
	}
	n, err := strconv.ParseUint(v.AsString(), 8, 32)
	if err != nil || n > 0o7777 {
		d.bad(a, fmt.Sprintf("%q is not a mode in octal.", v.AsString()), `mode = "0644"`)
	}
	return uint32(n)
}

func (d *decoder) onChange() string {
	s, ok := d.strOK("on_change")
	if !ok || s == "restart" || s == "none" {
		return cmp.Or(s, "restart")
	}
	if sig, isSignal := strings.CutPrefix(s, "signal:"); isSignal {
		if name, ok := signalName(sig); ok {
			return "signal:" + strings.TrimPrefix(name, "SIG")
		}
	}
	d.bad(d.body.attrs["on_change"], fmt.Sprintf("%q is not something to do; there are \"restart\", \"none\", and \"signal:HUP\" with any signal.", s), "")
	return "restart"
}
