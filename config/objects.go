package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// volume decodes one volume.
func (e *evaluation) volume(i *instance) cty.Value {
	v := fleet.Volume{Name: fleet.VolumeName(i.name), Driver: "local"}
	if s, ok := i.strOK("driver"); ok {
		v.Driver = i.driver(s)
	}
	v.Options = i.stringMap("options")
	v.PerReplica = i.boolean("per_replica", false)
	v.PreventDestroy = i.boolean("prevent_destroy", false)
	e.out.Fleet.Volumes = append(e.out.Fleet.Volumes, v)
	e.declare(i, fleet.VolumeAddr(v.Name))
	return cty.ObjectVal(map[string]cty.Value{
		"id": cty.StringVal(string(fleet.VolumeAddr(v.Name))), "name": cty.StringVal(i.name), "driver": cty.StringVal(v.Driver),
	})
}

// network decodes one network.
func (e *evaluation) network(i *instance) cty.Value {
	n := fleet.Network{Name: fleet.NetworkName(i.name), Driver: "bridge"}
	if s, ok := i.strOK("driver"); ok {
		n.Driver = i.driver(s)
		if s == "host" || s == "none" {
			i.bad(i.body.attrs["driver"], fmt.Sprintf("A network of driver %q cannot be made; each host has exactly one.", s), fmt.Sprintf("network_mode = %q in the workload", s))
		}
	}
	e.out.Fleet.Networks = append(e.out.Fleet.Networks, n)
	e.declare(i, fleet.NetworkAddr(n.Name))
	return cty.ObjectVal(map[string]cty.Value{
		"id": cty.StringVal(string(fleet.NetworkAddr(n.Name))), "name": cty.StringVal(i.name), "driver": cty.StringVal(n.Driver),
	})
}

func (d *decoder) driver(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\n") {
		d.bad(d.body.attrs["driver"], fmt.Sprintf("%q cannot be the name of a driver.", s), "leave it out for the usual one")
	}
	return s
}

// output evaluates one output.
func (e *evaluation) output(n *node) {
	d := &decoder{c: e.c, ctx: e.scopeFor(n), body: n.block.body, in: n.block.title(), at: n.block.def}
	defer func() { e.diags = append(e.diags, d.diags...) }()
	o := fleet.Output{Name: n.name, Description: d.str("description"), Sensitive: d.boolean("sensitive", false)}
	if !d.require("value") {
		return
	}
	a := n.block.body.attrs["value"]
	v, ok := d.eval(a)
	if !ok {
		return
	}
	v, marks := v.UnmarkDeep()
	if len(marks) > 0 && !o.Sensitive {
		d.add(diag.CodeSensitive, "Sensitive value where it would be shown", a.expr.Range(), "The value of this output is sensitive, and outputs are printed after every apply.", "sensitive = true")
		return
	}
	if v.IsWhollyKnown() {
		b, err := ctyjson.Marshal(v, v.Type())
		if err != nil {
			d.add(diag.CodeEvaluate, "Value cannot be an output", a.expr.Range(), sentence(err.Error()), "")
			return
		}
		o.Value = json.RawMessage(b)
	} else {
		o.Unknown = true
	}
	if o.Sensitive {
		if o.Value != nil {
			e.out.Revealed[o.Name] = o.Value
		}
		e.c.rememberSecret(v)
		o.Value = nil
	}
	e.out.Fleet.Outputs = append(e.out.Fleet.Outputs, o)
	e.out.Ranges[fleet.Addr("output."+o.Name)] = *rangeOf(n.block.def)
}

// The bounds of a secret's command.
const (
	secretTime  = 30 * time.Second
	secretBytes = maxString
)

// secret resolves one secret.
func (e *evaluation) secret(i *instance) cty.Value {
	var from []string
	for _, n := range []string{"env", "file", "command"} {
		if i.body.attrs[n] != nil {
			from = append(from, n)
		}
	}
	if len(from) != 1 {
		i.add(diag.CodeMissing, "Missing argument", i.at, fmt.Sprintf("A secret has exactly one source: env, file or command; this one has %d.", len(from)), `env = "DB_PASSWORD"`)
		return cty.DynamicVal
	}
	var s string
	var ok bool
	switch from[0] {
	case "env":
		s, ok = e.secretEnv(i)
	case "file":
		s, ok = e.secretFile(i)
	case "command":
		s, ok = e.secretCommand(i)
	}
	if !ok {
		return cty.DynamicVal
	}
	if s == "" {
		i.add(diag.CodeSecret, "A secret is empty", i.at, fmt.Sprintf("The %s of secret.%s gave an empty value.", from[0], i.name), "")
		return cty.DynamicVal
	}
	if err := e.c.meter.make(int64(len(s))); err != nil || !validText(s) {
		if err == nil {
			i.add(diag.CodeSecret, "A secret is not text", i.at, fmt.Sprintf("The value of secret.%s is not valid UTF-8 or holds a NUL byte.", i.name), "base64 encode it at its source")
		}
		return cty.DynamicVal
	}
	e.c.scrub.add(s)
	return cty.ObjectVal(map[string]cty.Value{
		"id": cty.StringVal("secret." + i.name), "value": cty.StringVal(s).Mark(sensitiveMark),
	})
}

func validText(s string) bool {
	return strings.ToValidUTF8(s, "") == s && !strings.Contains(s, "\x00")
}

func (e *evaluation) secretEnv(i *instance) (string, bool) {
	name, ok := i.strOK("env")
	if !ok {
		return "", false
	}
	val, found := "", false
	for _, kv := range e.c.in.Environ {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			val, found = v, true
		}
	}
	if !found {
		i.add(diag.CodeSecret, "A secret is missing", i.body.attrs["env"].expr.Range(),
			fmt.Sprintf("secret.%s is taken from the environment variable %s, which is not set.", i.name, name), "export "+name+"=...")
	}
	return val, found
}

func (e *evaluation) secretFile(i *instance) (string, bool) {
	p, ok := i.strOK("file")
	if !ok {
		return "", false
	}
	path := i.localPath(p, "file")
	st, err := os.Stat(path)
	var b []byte
	switch {
	case err != nil:
	case !st.Mode().IsRegular():
		err = errors.New("not a regular file")
	case st.Size() > secretBytes:
		err = errors.New("larger than 1 MiB")
	default:
		b, err = os.ReadFile(path)
	}
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		i.add(diag.CodeSecret, "A secret is missing", i.body.attrs["file"].expr.Range(),
			fmt.Sprintf("secret.%s is taken from the file %s, which cannot be read: %s.", i.name, p, err), "")
		return "", false
	}
	return trimLine(string(b)), true
}

// trimLine takes one line's end off, which editors and echo add.
func trimLine(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }

func (e *evaluation) secretCommand(i *instance) (string, bool) {
	argv := i.strings("command")
	if len(i.diags) > 0 {
		return "", false
	}
	if len(argv) == 0 {
		i.bad(i.body.attrs["command"], "The command is empty.", `command = ["pass", "show", "db"]`)
		return "", false
	}
	run := e.c.in.Run
	if run == nil {
		run = e.c.exec
	}
	ctx, cancel := context.WithTimeout(e.ctx, secretTime)
	defer cancel()
	out, err := run(ctx, argv)
	e.c.meter.rewind(e.ctx) // the command's time is not evaluation's
	if err != nil {
		why := err.Error()
		if ctx.Err() != nil {
			why = fmt.Sprintf("it took longer than %s, or was interrupted", secretTime)
		}
		i.add(diag.CodeSecret, "A secret's command failed", i.body.attrs["command"].expr.Range(),
			fmt.Sprintf("secret.%s is what %s prints, which failed: %s.", i.name, argv[0], strings.TrimSuffix(why, ".")), "run it by hand: "+strings.Join(argv, " "))
		return "", false
	}
	if len(out) > secretBytes {
		i.add(diag.CodeSecret, "A secret's command failed", i.body.attrs["command"].expr.Range(), fmt.Sprintf("The command of secret.%s printed more than 1 MiB.", i.name), "")
		return "", false
	}
	return trimLine(out), true
}

// exec runs a secret's command without a shell, in the configuration's directory. Its standard error is
// not repeated in messages: it may hold what must not be shown.
func (c *Config) exec(ctx context.Context, argv []string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = c.root.dir, c.in.Environ, time.Second
	out := &bounded{}
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return "", fmt.Errorf("it ended with status %d", exit.ExitCode())
		}
		return "", err
	}
	return out.String(), nil
}

// bounded keeps the first bytes of an output, one more than allowed, and takes no more.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > secretBytes+1 {
		return 0, errors.New("too much output")
	}
	return b.Builder.Write(p)
}
