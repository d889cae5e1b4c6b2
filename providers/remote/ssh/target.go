package ssh

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Target is where to go and as whom. Absent parts are empty or 0.
type Target struct {
	User string
	Host string
	Port int
}

// ParseTarget reads "[user@]host[:port]", with an IPv6 address in brackets when a
// port follows. Everything but letters, digits and a few harmless bytes is
// refused, as is a leading '-': these strings end up in messages as commands to
// type, in known_hosts and in other programs' arguments.
func ParseTarget(s string) (Target, error) {
	var t Target
	rest := s
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		t.User, rest = s[:i], s[i+1:]
		if err := checkUser(t.User); err != nil {
			return Target{}, err
		}
	}
	host, port, err := splitPort(rest)
	if err != nil {
		return Target{}, err
	}
	if err := checkHost(host); err != nil {
		return Target{}, err
	}
	t.Host, t.Port = host, port
	return t, nil
}

func splitPort(s string) (string, int, error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		host, tail, ok := strings.Cut(inner, "]")
		if !ok {
			return "", 0, fmt.Errorf("%q has no closing bracket", s)
		}
		if tail == "" {
			return host, 0, nil
		}
		p, ok := strings.CutPrefix(tail, ":")
		if !ok {
			return "", 0, fmt.Errorf("%q has more after the bracket than a port", s)
		}
		port, err := parsePort(p)
		return host, port, err
	}
	if strings.Count(s, ":") != 1 { // none, or a bare IPv6 address
		return s, 0, nil
	}
	host, p, _ := strings.Cut(s, ":")
	port, err := parsePort(p)
	return host, port, err
}

func parsePort(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || checkPort(n) != nil || s[0] == '+' {
		return 0, fmt.Errorf("%q is not a port from 1 to 65535", s)
	}
	return n, nil
}

func checkPort(n int) error {
	if n < 1 || n > 65535 {
		return fmt.Errorf("%d is not a port from 1 to 65535", n)
	}
	return nil
}

// checkHost takes IP addresses and DNS names (with '_', which aliases have).
func checkHost(s string) error {
	if a, err := netip.ParseAddr(s); err == nil {
		if zone := a.Zone(); zone != "" && !only(zone, "._-") {
			return fmt.Errorf("%q is not a host name or address", s)
		}
		return nil
	}
	if s == "" || len(s) > 253 || !only(s, "._-") || strings.IndexByte("-.", s[0]) >= 0 || strings.Contains(s, "..") {
		return fmt.Errorf("%q is not a host name or address", s)
	}
	return nil
}

// checkUser takes what POSIX and directory services use for account names.
func checkUser(s string) error {
	if s == "" || len(s) > 128 || !only(s, "._-@+") || s[0] == '-' {
		return fmt.Errorf("%q is not a user name", s)
	}
	return nil
}

// only reports whether s is of ASCII letters, digits and the bytes of extra.
func only(s, extra string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(extra, c) >= 0:
		default:
			return false
		}
	}
	return true
}
