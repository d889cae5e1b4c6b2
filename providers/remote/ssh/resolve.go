package ssh

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/remote"
)

// maxHops bounds a chain of jump hosts, which ssh_config can make endless.
const maxHops = 8

// hop is one SSH server on the way, the last one being the host itself.
type hop struct {
	host     string
	port     int
	user     string
	keyFile  string   // declared; its failure is an error
	keyFiles []string // IdentityFile of ssh_config, or the default files
	only     bool     // IdentitiesOnly
	agent    string   // socket; empty: none
	known    []string // known_hosts files to read
	record   string   // the one of them to write to; empty: none
	alias    string   // HostKeyAlias
	hash     bool     // HashKnownHosts
	timeout  time.Duration
}

// addr is the TCP address.
func (h hop) addr() string { return net.JoinHostPort(h.host, strconv.Itoa(h.port)) }

// lookup is the host as the known_hosts library wants it, "name:port".
func (h hop) lookup() string {
	if h.alias != "" {
		return net.JoinHostPort(h.alias, "22")
	}
	return h.addr()
}

// String is the hop as one would write it for ssh -J.
func (h hop) String() string {
	if h.port == 22 {
		return h.user + "@" + h.host
	}
	return h.user + "@" + h.addr()
}

// resolver makes hops of a Config.
type resolver struct {
	cfg  Config
	conf *userConfig
}

// resolve validates cfg and gives the hops to pass, the host itself last.
func resolve(cfg Config) ([]hop, error) {
	if cfg.HostKey != "" && cfg.HostKey != fleet.HostKeyStrict && cfg.HostKey != fleet.HostKeyAcceptNew {
		return nil, fmt.Errorf("host_key is %q; it can be %q or %q", cfg.HostKey, fleet.HostKeyStrict, fleet.HostKeyAcceptNew)
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("the timeout %s is negative", cfg.Timeout)
	}
	t := Target{User: cfg.User, Host: cfg.Address, Port: cfg.Port}
	if err := t.check(); err != nil {
		return nil, err
	}
	conf, err := loadUserConfig(cfg.Environment)
	if err != nil {
		return nil, err
	}
	r := resolver{cfg: cfg, conf: conf}
	return r.chain(t, cfg.JumpHost, 0)
}

func (t Target) check() error {
	if err := checkHost(t.Host); err != nil {
		return err
	}
	if t.User != "" {
		if err := checkUser(t.User); err != nil {
			return err
		}
	}
	if t.Port != 0 {
		return checkPort(t.Port)
	}
	return nil
}

// chain gives the hops to t, jumps being the declared way to it. As with ssh -J,
// only the nearest of several jump hosts is reached by its own ProxyJump.
func (r resolver) chain(t Target, jumps string, depth int) ([]hop, error) {
	if depth >= maxHops {
		return nil, fmt.Errorf("more than %d jump hosts, or a circle of ProxyJump, before %s", maxHops, t.Host)
	}
	if jumps == "" {
		var err error
		if jumps, err = r.proxyJump(t.Host); err != nil {
			return nil, err
		}
	}
	var hops []hop
	if jumps != "" && !strings.EqualFold(jumps, "none") {
		for i, s := range strings.Split(jumps, ",") {
			j, err := ParseTarget(strings.TrimPrefix(strings.TrimSpace(s), "ssh://"))
			if err != nil {
				return nil, fmt.Errorf("jump host: %w", err)
			}
			way := "none"
			if i == 0 {
				way = ""
			}
			before, err := r.chain(j, way, depth+1)
			if err != nil {
				return nil, err
			}
			hops = append(hops, before...)
		}
	}
	if len(hops) >= maxHops {
		return nil, fmt.Errorf("more than %d jump hosts before %s", maxHops, t.Host)
	}
	h, err := r.hop(t)
	return append(hops, h), err
}

func (r resolver) proxyJump(alias string) (string, error) {
	jump, err := r.conf.get(alias, "ProxyJump")
	if err != nil || jump != "" {
		return jump, err
	}
	command, err := r.conf.get(alias, "ProxyCommand")
	if err != nil || command == "" || strings.EqualFold(command, "none") {
		return "", err
	}
	return "", fmt.Errorf("ssh_config has a ProxyCommand for %s, and no program is run to reach a host: set jump_host in the ssh block, or ProxyJump", alias)
}

// hop fills in what t leaves open from ssh_config, then from the defaults.
func (r resolver) hop(t Target) (hop, error) {
	alias, env := t.Host, r.cfg.Environment
	h := hop{host: t.Host, port: t.Port, user: t.User, agent: env.AuthSock}
	f := fields{conf: r.conf, alias: alias}
	if v := f.get("HostName"); v != "" {
		h.host = strings.ReplaceAll(strings.ReplaceAll(v, "%h", alias), "%%", "%")
	}
	if v := f.get("Port"); h.port == 0 && v != "" {
		var err error
		h.port, err = parsePort(v)
		f.keep(err)
	}
	if h.port == 0 {
		h.port = 22
	}
	if h.user == "" {
		h.user = first(f.get("User"), env.User)
	}
	if h.user == "" {
		f.keep(errors.New("no user is set"))
	}
	h.alias = f.get("HostKeyAlias")
	h.hash = strings.EqualFold(f.get("HashKnownHosts"), "yes")
	h.only = strings.EqualFold(f.get("IdentitiesOnly"), "yes")
	h.timeout = r.timeout(&f)
	r.agent(&f, &h)
	r.keyFiles(&f, &h)
	r.knownHosts(&f, &h)
	if f.err != nil {
		return hop{}, fmt.Errorf("%s: %w", alias, f.err)
	}
	if h.alias != "" {
		f.keep(checkHost(h.alias))
	}
	f.keep(checkHost(h.host))
	f.keep(checkUser(h.user))
	return h, f.err
}

func (r resolver) timeout(f *fields) time.Duration {
	if r.cfg.Timeout > 0 {
		return r.cfg.Timeout
	}
	v := f.get("ConnectTimeout")
	if v == "" || strings.EqualFold(v, "none") {
		return DefaultTimeout
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		d, err = time.ParseDuration(v + "s")
	}
	if err != nil || d <= 0 {
		f.keep(fmt.Errorf("ConnectTimeout %q is not a number of seconds", v))
		return DefaultTimeout
	}
	return d
}

func (r resolver) agent(f *fields, h *hop) {
	switch v := f.get("IdentityAgent"); {
	case v == "", v == "SSH_AUTH_SOCK":
	case strings.EqualFold(v, "none"):
		h.agent = ""
	case strings.HasPrefix(v, "$"):
		f.keep(fmt.Errorf("IdentityAgent %s: only SSH_AUTH_SOCK, none and a path are understood", v))
	default:
		h.agent = r.tokens(v, *h, f.alias)
	}
}

func (r resolver) keyFiles(f *fields, h *hop) {
	env := r.cfg.Environment
	if r.cfg.KeyFile != "" {
		h.keyFile = env.expand(r.cfg.KeyFile)
	}
	declared := f.all("IdentityFile")
	for _, v := range declared {
		if !strings.EqualFold(v, "none") {
			h.keyFiles = append(h.keyFiles, r.tokens(v, *h, f.alias))
		}
	}
	if len(declared) == 0 && h.keyFile == "" && env.Home != "" {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			h.keyFiles = append(h.keyFiles, filepath.Join(env.Home, ".ssh", name))
		}
	}
}

func (r resolver) knownHosts(f *fields, h *hop) {
	env := r.cfg.Environment
	user := []string{}
	switch v := f.get("UserKnownHostsFile"); {
	case r.cfg.KnownHosts != "":
		user = append(user, env.expand(r.cfg.KnownHosts))
	case v != "":
		for _, p := range strings.Fields(v) {
			if !strings.EqualFold(p, "none") {
				user = append(user, r.tokens(strings.Trim(p, `"`), *h, f.alias))
			}
		}
	case env.Home != "":
		user = append(user, filepath.Join(env.Home, ".ssh", "known_hosts"))
	}
	if len(user) > 0 {
		h.record = user[0]
	}
	h.known = append(user, env.GlobalKnownHosts...)
}

// tokens expands what ssh_config(5) allows in file names, of which only those
// that name the host, the accounts and the home directory are of use here.
func (r resolver) tokens(path string, h hop, alias string) string {
	path = r.cfg.Environment.expand(path)
	return strings.NewReplacer("%%", "%", "%d", r.cfg.Environment.Home, "%h", h.host, "%n", alias,
		"%p", strconv.Itoa(h.port), "%r", h.user, "%u", r.cfg.Environment.User).Replace(path)
}

// fields reads values for one alias and keeps the first error.
type fields struct {
	conf  *userConfig
	alias string
	err   error
}

func (f *fields) keep(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *fields) get(key string) string {
	v, err := f.conf.get(f.alias, key)
	f.keep(err)
	return v
}

func (f *fields) all(key string) []string {
	v, err := f.conf.all(f.alias, key)
	f.keep(err)
	return v
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// configError is a host that cannot be reached as it is declared.
func configError(cfg Config, err error) *remote.Error {
	return &remote.Error{Host: cfg.Host, Stage: remote.StageConfig, Class: remote.ErrConfig, Err: err}
}
