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

// security reads what a container may do beyond or below the engine's default.
func (d *decoder) security(s *fleet.Spec) {
	s.ReadOnly = d.boolean("read_only", false)
	if s.ReadOnly && len(s.Files) > 0 {
		d.bad(d.body.attrs["read_only"], "Engines put no files into a container whose root is read-only, so file blocks cannot be given.", "put the files into the image, or mount them")
	}
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
