package config

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

const maxHosts = 5000

// hostDefaults is what the defaults block says. Each argument of it counts by itself.
type hostDefaults struct {
	ssh     fleet.SSH
	engine  fleet.EngineRef
	reserve fleet.Resources
}

// readDefaults reads the defaults block.
func (e *evaluation) readDefaults() {
	bs := e.c.blocks["defaults"]
	if len(bs) == 0 {
		return
	}
	scope, diags := e.c.earlyScope(bs[0])
	e.diags = append(e.diags, diags...)
	if diags.HasErrors() {
		return
	}
	d := &decoder{c: e.c, ctx: scope, body: bs[0].body, in: bs[0].title(), at: bs[0].def}
	d.connection(&e.defaults.ssh, &e.defaults.engine)
	e.defaults.reserve = d.amount("reserve", fleet.Resources{})
	e.diags = append(e.diags, d.diags...)
}

// host decodes one host.
func (e *evaluation) host(i *instance) cty.Value {
	h := fleet.Host{Name: fleet.HostName(i.name), SSH: e.defaults.ssh, Engine: e.defaults.engine}
	if len(e.out.Fleet.Hosts) >= maxHosts {
		_ = e.c.meter.fail("The configuration has more than %d hosts.", maxHosts)
		return cty.DynamicVal
	}
	h.Address = i.address()
	h.Labels = i.labels("labels")
	i.connection(&h.SSH, &h.Engine)
	h.Reserve = i.amount("reserve", e.defaults.reserve)
	h.Capacity = i.amount("capacity", fleet.Resources{})
	h.Devices = i.hostDevices()
	h.Cordon = i.boolean("cordon", false)
	h.Drain = i.boolean("drain", false)
	if ssh := i.body.find("ssh"); h.Local() && ssh != nil {
		i.add(diag.CodeValue, "Invalid value", ssh.def, "A host without an address is this machine, which is not reached by SSH.", `address = "10.0.0.11"`)
	}
	if h.Local() {
		h.SSH = fleet.SSH{}
	}
	e.out.Fleet.Hosts = append(e.out.Fleet.Hosts, h)
	e.declare(i, fleet.HostAddr(h.Name))
	address := cty.NullVal(cty.String)
	if h.Address != "" {
		address = cty.StringVal(h.Address)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"id": cty.StringVal(string(fleet.HostAddr(h.Name))), "name": cty.StringVal(i.name),
		"address": address, "labels": stringMapVal(h.Labels),
	})
}

// find returns the first nested block of a kind.
func (b *body) find(kind string) *block {
	for _, x := range b.blocks {
		if x.kind == kind {
			return x
		}
	}
	return nil
}

func stringMapVal(m map[string]string) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	out := map[string]cty.Value{}
	for k, v := range m {
		out[k] = cty.StringVal(v)
	}
	return cty.MapVal(out)
}

// jumpHost is user@host:port, of which the host is required.
var jumpHost = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]*@)?([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?$`)

// validHostname is what an address or a Host of ~/.ssh/config may look like. A leading dash would be an
// option to ssh where somebody pastes it.
func validHostname(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (!wordByte(c) || c >= 0x80) && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func (d *decoder) address() string {
	s, ok := d.strOK("address")
	if !ok {
		return ""
	}
	a := d.body.attrs["address"]
	if _, err := netip.ParseAddr(s); err == nil || validHostname(s) {
		return s
	}
	switch user, host, at := strings.Cut(s, "@"); {
	case s == "":
		d.bad(a, "The address is empty.", "leave address out for this machine")
	case strings.Contains(s, "://"):
		d.bad(a, fmt.Sprintf("%q is a URL; an address is a host name or an IP.", s), "")
	case at && host != "":
		d.bad(a, fmt.Sprintf("%q has a user in it; an address is a host name or an IP.", s), fmt.Sprintf("address = %q and ssh { user = %q }", host, user))
	default:
		if host, port, ok := strings.Cut(s, ":"); ok && validHostname(host) {
			d.bad(a, fmt.Sprintf("%q has a port in it; an address is a host name or an IP.", s), fmt.Sprintf("address = %q and ssh { port = %s }", host, port))
			return ""
		}
		d.bad(a, fmt.Sprintf("%q is neither a host name nor an IP.", s), "")
	}
	return ""
}

// connection reads ssh and engine over what is already there.
func (d *decoder) connection(s *fleet.SSH, engine *fleet.EngineRef) {
	if n := d.block("ssh"); n != nil {
		n.ssh(s)
		d.join(n)
	}
	for _, n := range d.blocks("engine") {
		*engine = fleet.EngineRef{}
		if k := n.label(); k != "docker" {
			n.add(diag.CodeNotYet, "Not supported yet", n.at, fmt.Sprintf("engine %q is not supported yet.", k), `engine "docker" {}`)
		}
		if p, ok := n.strOK("socket"); ok {
			engine.Socket = strings.TrimPrefix(p, "unix://")
			if !strings.HasPrefix(engine.Socket, "/") {
				n.bad(n.body.attrs["socket"], "A socket is an absolute path on the host.", `socket = "/var/run/docker.sock"`)
			}
		}
		d.join(n.decoder)
	}
}

// ssh reads the arguments of an ssh block.
func (d *decoder) ssh(s *fleet.SSH) {
	if u, ok := d.strOK("user"); ok {
		s.User = u
		if !validHostname(u) {
			d.bad(d.body.attrs["user"], fmt.Sprintf("%q cannot be the name of a user.", u), "")
		}
	}
	if p, ok := d.integer("port", 1, 65535); ok {
		s.Port = int(p)
	}
	if p, ok := d.strOK("key_file"); ok {
		s.KeyFile = d.localPath(p, "key_file")
	}
	if p, ok := d.strOK("known_hosts"); ok {
		s.KnownHosts = d.localPath(p, "known_hosts")
	}
	if k := d.choice("host_key", "", string(fleet.HostKeyStrict), string(fleet.HostKeyAcceptNew)); k != "" {
		s.HostKey = fleet.HostKeyPolicy(k)
	}
	if j, ok := d.strOK("jump_host"); ok {
		s.JumpHost = j
		if !jumpHost.MatchString(j) {
			d.bad(d.body.attrs["jump_host"], fmt.Sprintf("%q is not a jump host.", j), `jump_host = "ops@bastion.example.com:22"`)
		}
	}
	s.Timeout = d.duration("timeout", s.Timeout)
}

// localPath makes a path on this machine absolute.
func (d *decoder) localPath(p, name string) string {
	if strings.HasPrefix(p, "~/") && d.c.in.Home == "" {
		d.bad(d.body.attrs[name], "The path begins with ~/ and the home directory is not known.", "set HOME, or write the whole path")
	}
	return d.c.absolute(p)
}

// amount reads a reserve or capacity block over what is already there.
func (d *decoder) amount(kind string, r fleet.Resources) fleet.Resources {
	n := d.block(kind)
	if n == nil {
		return r
	}
	if n.body.attrs["cpu"] != nil {
		r.CPU = n.cores("cpu")
	}
	if n.body.attrs["memory"] != nil {
		r.Memory = n.size("memory")
	}
	if g, ok := n.integer("gpus", 0, 1024); ok {
		r.GPUs = int(g)
	}
	d.join(n)
	return r
}

// hostDevices reads which devices workloads may ask the host for; nil where nothing is said.
func (d *decoder) hostDevices() []string {
	n := d.block("capacity")
	if n == nil || n.body.attrs["devices"] == nil {
		return nil
	}
	a := n.body.attrs["devices"]
	out := []string{}
	before := len(n.diags)
	for _, s := range n.strings("devices") {
		if !strings.HasPrefix(s, "/") {
			n.bad(a, fmt.Sprintf("%q is not a device; it is named by its absolute path on the host.", s), `devices = ["/dev/kvm"]`)
			break
		}
		out = append(out, path.Clean(s))
	}
	switch {
	case len(n.diags) > before:
	case len(out) == 0:
		if v, _, ok := n.value("devices"); !ok || v.IsNull() {
			out = nil // null is as if it were not there
		}
	}
	d.join(n)
	return sortedSet(out)
}

// labels reads labels of a host or container.
func (d *decoder) labels(name string) map[string]string {
	m := d.stringMap(name)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		switch {
		case k == "":
			d.bad(d.body.attrs[name], "A label has an empty name.", "")
		case strings.HasPrefix(k, fleet.LabelPrefix):
			d.bad(d.body.attrs[name], fmt.Sprintf("The label %q begins with %s, which belongs to Stowage: these labels say what is ours.", k, fleet.LabelPrefix), "choose another name")
		}
	}
	return m
}
