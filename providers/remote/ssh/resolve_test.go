package ssh

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stowage-run/stowage/fleet"
)

// conf writes an ssh_config below a home directory and gives its surroundings.
func conf(t *testing.T, text string) Environment {
	t.Helper()
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".ssh", "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(home, ".ssh", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("config", text)
	write("conf.d/a", "Host included\n  Port 1022\n")
	return Environment{Home: home, User: "me", AuthSock: "/agent",
		ConfigFiles: []string{filepath.Join(home, ".ssh", "config"), filepath.Join(home, "absent")}, GlobalKnownHosts: []string{"/etc/g"}}
}

func TestResolve(t *testing.T) {
	defaults := hop{host: "web1", port: 22, user: "me", agent: "/agent", timeout: DefaultTimeout,
		keyFiles: []string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"},
		known:    []string{"~/.ssh/known_hosts", "/etc/g"}, record: "~/.ssh/known_hosts"}
	with := func(f func(*hop)) []hop {
		h := defaults
		f(&h)
		return []hop{h}
	}
	jump := func(host string, port int, user string) hop {
		h := defaults
		h.host, h.port, h.user = host, port, user
		return h
	}
	for _, tt := range []struct {
		name, conf string
		cfg        Config
		want       []hop
	}{
		{"defaults", "", Config{}, []hop{defaults}},
		{"all", `
Host web*
  HostName %h.example.com
  Port 2222
  User deploy
  IdentityFile ~/keys/%n-%r
  IdentityFile "~/keys/second"
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile ~/known1 ~/known2
  HostKeyAlias pinned
  HashKnownHosts yes
  ConnectTimeout 3
Host *
  Port 9
`, Config{}, []hop{{host: "web1.example.com", port: 2222, user: "deploy", only: true, timeout: 3 * time.Second,
			keyFiles: []string{"~/keys/web1-deploy", "~/keys/second"}, alias: "pinned", hash: true,
			known: []string{"~/known1", "~/known2", "/etc/g"}, record: "~/known1"}}},
		{"the declaration wins", "Host *\n Port 2222\n User deploy\n UserKnownHostsFile ~/known1\n ConnectTimeout 3\n ProxyJump bastion\n",
			Config{Port: 23, User: "root", KnownHosts: "~/k", Timeout: time.Second, JumpHost: "none"},
			with(func(h *hop) {
				h.port, h.user, h.timeout = 23, "root", time.Second
				h.known, h.record = []string{"~/k", "/etc/g"}, "~/k"
			})},
		{"a key file is the only file, and first", "", Config{KeyFile: "~/mine"},
			with(func(h *hop) { h.keyFile, h.keyFiles = "~/mine", nil })},
		{"jump hosts", "Host b2\n User ops\n", Config{JumpHost: "joe@b1:2200, b2"},
			[]hop{jump("b1", 2200, "joe"), jump("b2", 22, "ops"), defaults}},
		{"a way of its own to the nearest", "Host b1\n ProxyJump b0\nHost b2\n ProxyJump never\n", Config{JumpHost: "b1,b2"},
			[]hop{jump("b0", 22, "me"), jump("b1", 22, "me"), jump("b2", 22, "me"), defaults}},
		{"a proxy command that a jump host overrides", "Host web1\n ProxyCommand nc %h %p\n", Config{JumpHost: "[::1]:24"},
			[]hop{jump("::1", 24, "me"), defaults}},
		{"another host's proxy command", "Host db\n ProxyCommand nc %h %p\n", Config{}, []hop{defaults}},
		{"include", "Include conf.d/* # ours\nMatch all\n User joe\n", Config{Address: "included"}, []hop{jump("included", 1022, "joe")}},
		{"IPv6", "", Config{Address: "fe80::1%eth0"}, []hop{jump("fe80::1%eth0", 22, "me")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Environment = conf(t, tt.conf)
			if tt.cfg.Address == "" {
				tt.cfg.Address = "web1"
			}
			got, err := resolve(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			env := tt.cfg.Environment
			for i := range got {
				h := &got[i]
				h.keyFile, h.record = env.tilde(h.keyFile), env.tilde(h.record)
				for _, files := range [][]string{h.keyFiles, h.known} {
					for j := range files {
						files[j] = env.tilde(files[j])
					}
				}
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(hop{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, conf string
		cfg        Config
		want       string
	}{
		{"proxy command", "Host web1\n ProxyCommand nc %h %p\n", Config{}, "jump_host"},
		{"proxy command of a jump host", "Host b1\n ProxyCommand nc %h %p\n", Config{JumpHost: "b1"}, "jump_host"},
		{"match exec", "Match exec \"true\"\n User x\n", Config{}, "Match Exec is not supported"},
		{"a circle", "Host web1\n ProxyJump web2\nHost web2\n ProxyJump web1\n", Config{}, "circle"},
		{"port of the file", "Port 70000\n", Config{}, "70000"},
		{"host of the file", "HostName -oProxyCommand=x\n", Config{}, "not a host name"},
		{"user of the file", "User $(id)\n", Config{}, "not a user name"},
		{"agent by variable", "IdentityAgent $SOCK\n", Config{}, "IdentityAgent"},
		{"timeout of the file", "ConnectTimeout soon\n", Config{}, "ConnectTimeout"},
		{"policy", "", Config{HostKey: fleet.HostKeyPolicy("no")}, "host_key"},
		{"negative timeout", "", Config{Timeout: -1}, "negative"},
		{"port", "", Config{Port: 65536}, "port"},
		{"user", "", Config{User: "-l"}, "user name"},
		{"address", "", Config{Address: "a;b"}, "host name"},
		{"jump host", "", Config{JumpHost: "ops@-x"}, "jump host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Environment = conf(t, tt.conf)
			if tt.cfg.Address == "" {
				tt.cfg.Address = "web1"
			}
			hops, err := resolve(tt.cfg)
			if err == nil {
				t.Fatalf("no error, but %+v", hops)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want it to mention %q", err, tt.want)
			}
		})
	}
	cfg := Config{Address: "web1", Environment: conf(t, "")}
	cfg.Environment.User = ""
	if _, err := resolve(cfg); err == nil {
		t.Error("no user at all: no error")
	}
}

func TestParseTarget(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Target
	}{
		{"web1", Target{Host: "web1"}},
		{"deploy@web1.example.com:2222", Target{User: "deploy", Host: "web1.example.com", Port: 2222}},
		{"joe@corp.example@10.0.0.1", Target{User: "joe@corp.example", Host: "10.0.0.1"}},
		{"::1", Target{Host: "::1"}},
		{"[2001:db8::1]:22", Target{Host: "2001:db8::1", Port: 22}},
		{"[2001:db8::1]", Target{Host: "2001:db8::1"}},
		{"my_host", Target{Host: "my_host"}},
	} {
		got, err := ParseTarget(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v; want %+v", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{
		"", "@", "@web1", "web1:", "web1:0", "web1:+22", "web1:65536", "web1:22x", "[::1", "[::1]22", "[]:22",
		"-oProxyCommand=id", "x@-oProxyCommand=id", "-lroot@web1", "web1;id", "web1 id", "we\nb1", "web1\x00", "$(id)@web1",
		"`id`", "a|b", "a&b", "a>b", "a'b", `a"b`, `a\b`, "a*b", "a?b", "~a", "a{b}", "%h", "é", "a..b", ".a", "fe80::1%$(id)",
		strings.Repeat("a", 254),
	} {
		if got, err := ParseTarget(in); err == nil {
			t.Errorf("%q: got %+v, want an error", in, got)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("deploy@web1:22")
	f.Add("[::1]:22")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseTarget(in)
		if err != nil {
			return
		}
		if strings.HasPrefix(got.Host, "-") || strings.HasPrefix(got.User, "-") || strings.ContainsAny(got.Host+got.User, " \t\n;&|<>$`'\"\\*?(){}!#~\x00") {
			t.Errorf("%q passed as %+v", in, got)
		}
	})
}

func FuzzSSHConfig(f *testing.F) {
	f.Add("Host web1\n Port 22\n")
	f.Add("Match all\n User x\n")
	f.Add("Include = conf.d/*\nHost !a *\n")
	home := f.TempDir()
	file := filepath.Join(home, "config")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToLower(text), "include") {
			return // would read files outside the test
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		hops, err := resolve(Config{Address: "web1", Environment: Environment{Home: home, User: "me", ConfigFiles: []string{file}}})
		for _, h := range hops {
			if err == nil && (checkHost(h.host) != nil || checkUser(h.user) != nil || checkPort(h.port) != nil) {
				t.Errorf("resolved to %+v", h)
			}
		}
	})
}
