package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// What a health check does where nothing is said. It is asked more often than Docker asks (30s), since a rollout waits for it.
const (
	defaultInterval = 5 * time.Second
	defaultTry      = 3 * time.Second
	defaultRetries  = 3
)

// The bounds of health checks.
const (
	minInterval = 100 * time.Millisecond // each is a request through the connection to the host
	maxRetries  = 100
)

// checkKinds are the arguments of which a health check has exactly one.
func checkKinds() []string {
	return []string{string(fleet.CheckHTTP), string(fleet.CheckTCP), string(fleet.CheckGRPC), string(fleet.CheckCommand)}
}

// health decodes the healthcheck block. It comes after the ports, one of which it may name.
func (d *decoder) health(w *fleet.Workload) {
	n := d.block("healthcheck")
	if n == nil {
		return
	}
	defer d.join(n)
	h := fleet.Healthcheck{
		Interval: n.period("interval", defaultInterval, minInterval), Timeout: n.period("timeout", defaultTry, time.Millisecond),
		StartPeriod: n.duration("start_period", 0), Retries: defaultRetries,
	}
	if r, ok := n.integer("retries", 1, maxRetries); ok {
		h.Retries = int(r)
	}
	h.OnUnhealthy = fleet.OnUnhealthy(n.choice("on_unhealthy", string(fleet.UnhealthyRestart), string(fleet.UnhealthyRestart), string(fleet.UnhealthyNone)))
	kind, ok := n.checkKind()
	if !ok {
		return
	}
	h.Kind = kind
	var port string
	switch kind {
	case fleet.CheckHTTP:
		h.Path = n.httpPath()
	case fleet.CheckTCP:
		port = n.tcpPort(&w.Spec)
	case fleet.CheckGRPC:
		h.Service = n.grpcService()
	case fleet.CheckCommand:
		h.Command = n.checkCommand()
	}
	if len(n.diags) == 0 {
		h.Port = n.checkPort(kind, port, &w.Spec)
	}
	w.Health = h
}

// period reads a time that is not nothing.
func (d *decoder) period(name string, def, least time.Duration) time.Duration {
	before := len(d.diags)
	t := d.duration(name, def)
	if t < least && len(d.diags) == before {
		d.bad(d.body.attrs[name], fmt.Sprintf("%s is %s; it cannot be less than %s.", name, t, least), fmt.Sprintf("%s = %q", name, shortTime(def)))
		return def
	}
	return t
}

// shortTime writes a time as people do: 5m, not 5m0s.
func shortTime(t time.Duration) string {
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// checkKind finds out which kind of check is declared.
func (d *decoder) checkKind() (fleet.CheckKind, bool) {
	var given []*attr
	for _, k := range checkKinds() {
		if a := d.body.attrs[k]; a != nil {
			given = append(given, a)
		}
	}
	switch len(given) {
	case 0:
		d.add(diag.CodeMissing, "Missing argument", d.at, "A healthcheck has exactly one of http, tcp, grpc and command; this one has none. Without the block the image's own HEALTHCHECK is used.", `http = "/healthz"`)
		return "", false
	case 1:
		return fleet.CheckKind(given[0].name), true
	}
	d.add(diag.CodeValue, "Invalid value", given[1].at, fmt.Sprintf("A healthcheck has exactly one of http, tcp, grpc and command; %s is given already.", given[0].name), "keep one of them")
	return "", false
}

// given reads the argument that makes a check what it is; it cannot be null, since then there is no check.
func (d *decoder) given(name, remedy string) (cty.Value, *attr, bool) {
	before := len(d.diags)
	v, a, ok := d.plain(name)
	if !ok && len(d.diags) == before {
		d.bad(a, fmt.Sprintf("%s is null, so the healthcheck asks nothing.", name), remedy)
	}
	return v, a, ok
}

// httpPath reads http: a path with its query. Which port and host it is asked of is said elsewhere.
func (d *decoder) httpPath() string {
	const remedy = `http = "/healthz"`
	v, a, ok := d.given("http", remedy)
	if !ok {
		return ""
	}
	if v.Type() != cty.String {
		d.wrongType(a, "the path that is asked for", v)
		d.diags[len(d.diags)-1].Remedy = remedy
		return ""
	}
	s := v.AsString()
	if _, rest, ok := strings.Cut(s, "://"); ok && !strings.HasPrefix(s, "/") {
		_, path, _ := strings.Cut(rest, "/")
		d.bad(a, fmt.Sprintf("%q is a whole URL. The replica is known, so http takes the path only, and port says which port.", s), fmt.Sprintf("http = %q", "/"+path))
		return ""
	}
	switch {
	case !strings.HasPrefix(s, "/"):
		d.bad(a, fmt.Sprintf("%q is not a path: it begins with a slash.", s), fmt.Sprintf("http = %q", "/"+s))
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }):
		d.bad(a, fmt.Sprintf("%q holds a space, a control character or a #, which no request can have in its path.", s), "")
	default:
		return s
	}
	return ""
}

// tcpPort reads tcp: true, or the name of the port.
func (d *decoder) tcpPort(s *fleet.Spec) string {
	const remedy = "tcp = true"
	v, a, ok := d.given("tcp", remedy)
	switch {
	case !ok:
		return ""
	case v.Type() == cty.Bool && v.False():
		d.bad(a, "tcp is false, so the healthcheck asks nothing.", "tcp = true, or take the block out for the image's own HEALTHCHECK")
		return ""
	case v.Type() == cty.Bool:
		return ""
	}
	return d.portNamed(v, a, s, "true, or the name of a port")
}

// grpcService reads grpc: the name of a service, empty for the server as a whole.
func (d *decoder) grpcService() string {
	v, a, ok := d.given("grpc", `grpc = ""`)
	if !ok {
		return ""
	}
	if v.Type() != cty.String {
		d.wrongType(a, "the name of a service, which is empty for the server as a whole", v)
		d.diags[len(d.diags)-1].Remedy = `grpc = ""`
		return ""
	}
	d.clean(v.AsString(), a)
	return v.AsString()
}

// checkCommand reads command, and recognises the forms that Docker gives a meaning of their own.
func (d *decoder) checkCommand() []string {
	const remedy = `command = ["/bin/check"]`
	_, a, ok := d.given("command", remedy)
	if !ok {
		return nil
	}
	before := len(d.diags)
	argv := d.argv("command")
	switch {
	case len(d.diags) > before:
	case len(argv) == 0 || argv[0] == "":
		d.bad(a, "The command is empty.", remedy)
	case argv[0] == "NONE":
		d.bad(a, "NONE is Docker's word for no check. An image's own HEALTHCHECK is not turned off here, but another check takes its place.", "tcp = true")
	case argv[0] == "CMD":
		d.bad(a, "CMD is Docker's word for what is the rule here: the command is run as it is, without a shell.", "command = "+list(argv[1:]))
	case argv[0] == "CMD-SHELL":
		d.bad(a, "CMD-SHELL is Docker's word for a command of the image's shell. Here the shell is named.", "command = "+list(append([]string{"/bin/sh", "-c"}, strings.Join(argv[1:], " "))))
	default:
		return argv
	}
	return nil
}

// list writes strings as HCL does.
func list(l []string) string {
	quoted := make([]string, len(l))
	for i, s := range l {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// checkPort finds the port that is asked. byTCP is what tcp itself names.
func (d *decoder) checkPort(kind fleet.CheckKind, byTCP string, s *fleet.Spec) string {
	v, a, given := d.plain("port")
	switch {
	case len(d.diags) > 0:
		return ""
	case given && kind == fleet.CheckCommand:
		d.add(diag.CodeValue, "Invalid value", a.at, "A command is run in the container and asks no port.", "take port out")
		return ""
	case kind == fleet.CheckCommand:
		return ""
	case s.NetworkMode == "none":
		d.add(diag.CodeValue, "Invalid value", d.body.attrs[string(kind)].at, `With network_mode = "none" nothing reaches a port of the container; a command in it can be asked.`, `command = ["/bin/check"]`)
		return ""
	}
	if given {
		port := d.portNamed(v, a, s, "the name of a port")
		if byTCP != "" && port != "" && port != byTCP {
			d.bad(a, fmt.Sprintf("tcp names the port %q already.", byTCP), "tcp = true")
		}
		return port
	}
	if byTCP != "" {
		return byTCP
	}
	switch names := tcpPorts(s); len(names) {
	case 0:
		d.add(diag.CodeMissing, "Missing block", d.at, fmt.Sprintf("A healthcheck by %s asks a port, and the workload declares none of protocol tcp.", kind), "port \"http\" {\n  container = 8080\n}")
		return ""
	case 1:
		return names[0]
	default:
		likely := names[0]
		if slices.Contains(names, string(kind)) {
			likely = string(kind)
		}
		d.add(diag.CodeMissing, "Missing argument", d.at, fmt.Sprintf("The workload has several ports, so it must be said which of them is asked. There are: %s.", few(names)), fmt.Sprintf("port = %q", likely))
		return ""
	}
}

func tcpPorts(s *fleet.Spec) (names []string) {
	for _, p := range s.Ports {
		if p.Protocol == "tcp" {
			names = append(names, p.Name)
		}
	}
	return names
}

// portNamed reads the name of one of the workload's ports. A number is answered with the name.
func (d *decoder) portNamed(v cty.Value, a *attr, s *fleet.Spec, want string) string {
	names := tcpPorts(s)
	if v.Type() == cty.Number {
		d.wrongType(a, want, v)
		for _, p := range s.Ports {
			if v.RawEquals(cty.NumberIntVal(int64(p.Container))) {
				d.diags[len(d.diags)-1].Remedy = fmt.Sprintf("%s = %q", a.name, p.Name)
			}
		}
		return ""
	}
	if v.Type() != cty.String {
		d.wrongType(a, want, v)
		return ""
	}
	name := v.AsString()
	for _, p := range s.Ports {
		if p.Name == name && p.Protocol == "tcp" {
			return name
		}
		if p.Name == name {
			d.bad(a, fmt.Sprintf("The port %q is of protocol %s, and a check is asked over tcp.", name, p.Protocol), "")
			return ""
		}
	}
	detail, remedy := fmt.Sprintf("The workload has no port named %q.", name), ""
	if n := nearest(name, names); n != "" {
		remedy = fmt.Sprintf("%s = %q", a.name, n)
	} else if len(names) > 0 {
		detail += " There are: " + few(names) + "."
	}
	for _, p := range s.Ports {
		if fmt.Sprint(p.Container) == name {
			remedy = fmt.Sprintf("%s = %q", a.name, p.Name)
		}
	}
	d.add(diag.CodeReference, "Unknown reference", a.expr.Range(), detail, remedy)
	return ""
}
