package testfleet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// ErrNotRoot is returned when the process may not make namespaces.
var ErrNotRoot = errors.New("test hosts are made of namespaces, which needs root: run this as root")

// MissingError names the programs that are not installed.
type MissingError struct {
	Programs []string // in the order they were looked for
	Packages []string // the Debian packages that have them
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("test hosts need %s: apt-get install -y --no-install-recommends %s",
		strings.Join(e.Programs, ", "), strings.Join(e.Packages, " "))
}

// The path every process of a host gets: a test's own may hold anything.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

type program struct{ name, debian string }

func programs() []program {
	return []program{
		{"dockerd", "docker.io"},
		{"containerd", "containerd"},
		{"ip", "iproute2"},
		{"iptables", "iptables"},
		{"sshd", "openssh-server"},
		{"nsenter", "util-linux"},
		{"mount", "mount"},
		{"hostname", "hostname"},
	}
}

// Check reports what keeps this machine from running a fleet: ErrNotRoot or a
// *MissingError. It changes nothing.
func Check() error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	missing := new(MissingError)
	for _, p := range programs() {
		if _, err := find(p.name); err == nil {
			continue
		}
		missing.Programs = append(missing.Programs, p.name)
		if !slices.Contains(missing.Packages, p.debian) {
			missing.Packages = append(missing.Packages, p.debian)
		}
	}
	if len(missing.Programs) > 0 {
		return missing
	}
	return nil
}

// find is exec.LookPath in systemPath: a user's own path may lack the sbin directories.
func find(name string) (string, error) {
	for _, dir := range strings.Split(systemPath, ":") {
		if path, err := exec.LookPath(dir + "/" + name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find %s in %s: %w", name, systemPath, exec.ErrNotFound)
}
