package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

var (
	sysctlName  = regexp.MustCompile(`^[a-z0-9_]+(\.[A-Za-z0-9_/-]+)+$`)
	capability  = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	permissions = regexp.MustCompile(`^[rwm]{1,3}$`)
)

// The bounds of files put into containers: they travel in every create and are kept in plans.
const (
	maxFileContent  = 256 << 10
	maxFilesContent = 1 << 20
)

func (d *decoder) networking(s *fleet.Spec) {
	for _, n := range d.refs("networks", "network") {
		s.Networks = append(s.Networks, fleet.NetworkName(n))
	}
	s.Networks = sortedSet(s.Networks)
	s.NetworkMode = d.choice("network_mode", "", "bridge", "host", "none")
	if s.NetworkMode == "bridge" {
		s.NetworkMode = "" // what absence means, too
	}
	if (s.NetworkMode == "host" || s.NetworkMode == "none") && len(s.Networks) > 0 {
		d.bad(d.body.attrs["networks"], fmt.Sprintf("With network_mode = %q a container is on no network of its own, so networks cannot be given.", s.NetworkMode), "keep one of the two")
	}
	s.ExtraHosts = d.stringMap("extra_hosts")
	for _, k := range slices.Sorted(maps.Keys(s.ExtraHosts)) {
		v := s.ExtraHosts[k]
		if _, err := netip.ParseAddr(v); err != nil && v != "host-gateway" {
			d.bad(d.body.attrs["extra_hosts"], fmt.Sprintf("The address of %q, %q, is not an IP.", k, v), "")
		}
		if !validHostname(k) {
			d.bad(d.body.attrs["extra_hosts"], fmt.Sprintf("%q cannot be a host name.", k), "")
		}
	}
	s.DNS = d.strings("dns")
	for _, v := range s.DNS {
		if _, err := netip.ParseAddr(v); err != nil {
			d.bad(d.body.attrs["dns"], fmt.Sprintf("%q is not an IP.", v), "")
		}
	}
}

func (d *decoder) ports(s *fleet.Spec) {
	names := map[string]inner{}
	fixed := map[string]inner{}
	for _, n := range d.blocks("port") {
		p := n.port()
		if first, ok := names[p.Name]; ok {
			n.twice("port "+strconv.Quote(p.Name), first)
		}
		names[p.Name] = n
		if p.Policy == fleet.PortFixed {
			key := fmt.Sprintf("%s/%d/%s", p.Bind, p.Host, p.Protocol)
			if first, ok := fixed[key]; ok {
				n.twice(fmt.Sprintf("host port %d/%s", p.Host, p.Protocol), first)
			}
			fixed[key] = n
		}
		if p.Policy != fleet.PortInternal && (s.NetworkMode == "host" || s.NetworkMode == "none") {
			n.bad(n.body.attrs["host"], fmt.Sprintf("With network_mode = %q ports are not published: the container's own are the host's, or there are none.", s.NetworkMode), "take host out")
		}
		d.join(n.decoder)
		s.Ports = append(s.Ports, p)
	}
	slices.SortFunc(s.Ports, func(a, b fleet.Port) int { return strings.Compare(a.Name, b.Name) })
}

// twice notes that something is declared a second time in one workload.
func (n inner) twice(what string, first inner) {
	n.add(diag.CodeDuplicate, "Declared twice", n.at, fmt.Sprintf("The %s is at %s already.", what, rangeOf(first.at)), "")
}

func (n inner) port() fleet.Port {
	p := fleet.Port{Name: n.label()}
	if !fleet.ValidName(p.Name) {
		n.add(diag.CodeValue, "Invalid name", n.at, fmt.Sprintf("%q cannot be the name of a port.", p.Name), "")
	}
	if n.require("container") {
		c, _ := n.integer("container", 1, 65535)
		p.Container = uint16(c)
	}
	p.Protocol = n.choice("protocol", "tcp", "tcp", "udp", "sctp")
	if v, a, ok := n.plain("host"); ok {
		switch {
		case v.Type() == cty.String && v.AsString() == "auto":
			p.Policy = fleet.PortAuto
		case v.Type() == cty.Number:
			h, _ := n.toInteger(v, a, 1, 65535)
			p.Policy, p.Host = fleet.PortFixed, uint16(h)
		case v.Type() == cty.String:
			remedy := `host = "auto"`
			if _, err := strconv.ParseUint(v.AsString(), 10, 16); err == nil {
				remedy = "host = " + v.AsString()
			}
			n.bad(a, fmt.Sprintf("%q is not a host port: it is a number, or \"auto\".", v.AsString()), remedy)
		default:
			n.wrongType(a, `a number or "auto"`, v)
		}
	}
	if b, ok := n.strOK("bind"); ok {
		ip, err := netip.ParseAddr(b)
		switch {
		case err != nil:
			n.bad(n.body.attrs["bind"], fmt.Sprintf("%q is not an IP.", b), `bind = "127.0.0.1"`)
		case p.Policy == fleet.PortInternal && n.body.attrs["host"] == nil:
			n.bad(n.body.attrs["bind"], "The port is not published, so there is nothing to bind.", `host = "auto"`)
		default:
			p.Bind = ip.String()
		}
	}
	return p
}

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

// security reads what a container may do beyond or below the engine's default.
func (d *decoder) security(s *fleet.Spec) {
	s.ReadOnly = d.boolean("read_only", false)
	s.Privileged = d.boolean("privileged", false)
	s.Init = d.boolean("init", false)
	s.CapAdd = d.capabilities("cap_add")
	s.CapDrop = d.capabilities("cap_drop")
	s.SecurityOpt = emptyNil(sortedSet(d.strings("security_opt")))
	s.Sysctls = d.stringMap("sysctls")
	for _, k := range slices.Sorted(maps.Keys(s.Sysctls)) {
		if !sysctlName.MatchString(k) {
			d.bad(d.body.attrs["sysctls"], fmt.Sprintf("%q is not the name of a sysctl.", k), `sysctls = { "net.core.somaxconn" = "1024" }`)
		}
	}
	for _, v := range d.strings("devices") {
		dev, err := parseDevice(v)
		if err != nil {
			d.bad(d.body.attrs["devices"], sentence(err.Error()), `devices = ["/dev/fuse"]`)
			continue
		}
		s.Devices = append(s.Devices, dev)
	}
	slices.SortFunc(s.Devices, func(a, b fleet.Device) int {
		return cmp.Or(strings.Compare(a.Container, b.Container), strings.Compare(a.Host, b.Host))
	})
}

func emptyNil[T any](l []T) []T {
	if len(l) == 0 {
		return nil
	}
	return l
}

func (d *decoder) capabilities(name string) []string {
	var out []string
	for _, c := range d.strings(name) {
		c = strings.TrimPrefix(strings.ToUpper(c), "CAP_")
		if !capability.MatchString(c) {
			d.bad(d.body.attrs[name], fmt.Sprintf("%q is not a capability.", c), name+` = ["NET_ADMIN"]`)
			continue
		}
		out = append(out, c)
	}
	return emptyNil(sortedSet(out))
}

// parseDevice reads /dev/x, /dev/x:/dev/y and /dev/x:/dev/y:rwm.
func parseDevice(s string) (fleet.Device, error) {
	p := strings.Split(s, ":")
	dev := fleet.Device{Host: p[0], Container: p[0], Permissions: "rwm"}
	if len(p) > 1 {
		dev.Container = p[1]
	}
	if len(p) > 2 {
		dev.Permissions = p[2]
	}
	if len(p) > 3 || !strings.HasPrefix(dev.Host, "/") || !strings.HasPrefix(dev.Container, "/") || !permissions.MatchString(dev.Permissions) {
		return dev, fmt.Errorf("%q is not a device; it is written /dev/x, /dev/x:/dev/y or /dev/x:/dev/y:rwm", s)
	}
	dev.Host, dev.Container = path.Clean(dev.Host), path.Clean(dev.Container)
	return dev, nil
}

// limits reads what bounds the container's processes.
func (d *decoder) limits(s *fleet.Spec) {
	s.ShmSize = d.size("shm_size")
	if n, ok := d.integer("pids_limit", -1, 1<<31); ok && n > 0 {
		s.Limits.PidsLimit = n // 0 and -1 are Docker's words for no limit
	}
	v, a, ok := d.plain("ulimits")
	if !ok {
		return
	}
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		d.wrongType(a, "a map such as { nofile = 65536 }", v)
		return
	}
	for it := v.ElementIterator(); it.Next(); {
		k, x := it.Element()
		if u, ok := d.ulimit(k.AsString(), x, a); ok {
			s.Ulimits = append(s.Ulimits, u)
		}
	}
	slices.SortFunc(s.Ulimits, func(a, b fleet.Ulimit) int { return strings.Compare(a.Name, b.Name) })
}

func (d *decoder) ulimit(name string, v cty.Value, a *attr) (fleet.Ulimit, bool) {
	u := fleet.Ulimit{Name: name}
	if !slices.Contains(words("core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"), name) {
		d.bad(a, fmt.Sprintf("%q is not a ulimit.", name), "ulimits = { nofile = 65536 }")
		return u, false
	}
	if v.IsNull() {
		return u, false
	}
	const highest = 1 << 62
	if v.Type().IsObjectType() || v.Type().IsMapType() {
		m := v.AsValueMap()
		soft, hard := m["soft"], m["hard"]
		if len(m) == 2 && soft != cty.NilVal && hard != cty.NilVal && !soft.IsNull() && !hard.IsNull() {
			var ok1, ok2 bool
			u.Soft, ok1 = d.toInteger(soft, a, -1, highest)
			u.Hard, ok2 = d.toInteger(hard, a, -1, highest)
			return u, ok1 && ok2
		}
		d.bad(a, fmt.Sprintf("The ulimit %q is a number or has soft and hard.", name), "ulimits = { nofile = { soft = 1024, hard = 4096 } }")
		return u, false
	}
	if v.Type() == cty.String {
		soft, hard, both := strings.Cut(v.AsString(), ":")
		if both {
			s, err1 := strconv.ParseInt(soft, 10, 63)
			h, err2 := strconv.ParseInt(hard, 10, 63)
			if err1 == nil && err2 == nil {
				u.Soft, u.Hard = s, h
				return u, true
			}
		}
	}
	n, ok := d.toInteger(v, a, -1, highest)
	u.Soft, u.Hard = n, n
	return u, ok
}
