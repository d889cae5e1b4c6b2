package ssh

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// The defaults. A dead peer is found within interval x count; 15 s is what the
// rest of Stowage builds on before it calls a host suspect.
const (
	DefaultTimeout           = 10 * time.Second
	DefaultKeepaliveInterval = 5 * time.Second
	DefaultKeepaliveCount    = 3
)

// Config is what was declared about one host. Whatever is absent is taken from
// ssh_config for Address, then from the defaults.
type Config struct {
	Host       string // the host's name in the fleet, for messages
	Address    string // host name, IP address or ssh_config alias
	Port       int    // 0: absent
	User       string
	KeyFile    string              // offered first; "~/" allowed; unusable is an error
	KnownHosts string              // the only user file read and, with accept-new, written; "~/" allowed
	HostKey    fleet.HostKeyPolicy // for a host, or jump host, that known_hosts has not; ssh_config has no say
	JumpHost   string              // "user@host:port", several with commas, nearest first; "none" overrides ssh_config

	Timeout           time.Duration // for each stage, not the whole; 0: ssh_config, then DefaultTimeout
	KeepaliveInterval time.Duration // 0: DefaultKeepaliveInterval; negative: no keepalive
	KeepaliveCount    int           // 0: DefaultKeepaliveCount

	Environment Environment
}

// Environment is what of our own surroundings has a say. cmd fills it; nothing
// here reads the process's environment. See Surroundings.
type Environment struct {
	Home             string   // for "~/" and the default files; empty: there are none
	User             string   // the account we run as, the default account on hosts
	AuthSock         string   // SSH_AUTH_SOCK; empty: no agent
	ConfigFiles      []string // ssh_config files, the user's before the system's; a missing one is no error
	GlobalKnownHosts []string // known_hosts files that are read beside the user's

	// DialContext makes the TCP connection; nil: net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Surroundings is the Environment of an account as OpenSSH would have it.
func Surroundings(home, user, authSock string) Environment {
	return Environment{
		Home:             home,
		User:             user,
		AuthSock:         authSock,
		ConfigFiles:      []string{filepath.Join(home, ".ssh", "config"), "/etc/ssh/ssh_config"},
		GlobalKnownHosts: []string{"/etc/ssh/ssh_known_hosts"},
	}
}

// expand makes a path of one that may begin with "~/".
func (e Environment) expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && e.Home != "" {
		return filepath.Join(e.Home, rest)
	}
	return path
}

// tilde is the reverse, for messages.
func (e Environment) tilde(path string) string {
	if rest, ok := strings.CutPrefix(path, e.Home+"/"); ok && e.Home != "" {
		return "~/" + rest
	}
	return path
}
