package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// userConfig is what the ssh_config files say, the first word counting.
type userConfig struct {
	files []*ssh_config.Config
}

// loadUserConfig reads the files there are. The parser refuses `Match exec`, and
// any other Match than all and host: it runs commands or depends on things that
// only the ssh program knows, and to ignore it would be to reach another host
// than ssh does.
func loadUserConfig(env Environment) (*userConfig, error) {
	var c userConfig
	for _, name := range env.ConfigFiles {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) && !strings.HasPrefix(name, env.Home) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read ssh_config: %w", err)
		}
		parsed, err := ssh_config.DecodeBytes(absoluteIncludes(text, filepath.Dir(name), env))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", env.tilde(name), err)
		}
		c.files = append(c.files, parsed)
	}
	return &c, nil
}

// absoluteIncludes anchors the paths of Include lines. The parser takes relative
// ones from the home directory of whoever runs the process, which is not ours to
// assume. Paths in the included files are still taken so.
func absoluteIncludes(text []byte, dir string, env Environment) []byte {
	include := regexp.MustCompile(`(?i)^(\s*include)(?:\s*=\s*|\s+)(.+)$`)
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		m := include.FindStringSubmatch(strings.TrimSuffix(line, "\r"))
		if m == nil {
			continue
		}
		var paths []string
		for _, p := range strings.Fields(m[2]) {
			if strings.HasPrefix(p, "#") {
				break
			}
			p = env.expand(strings.Trim(p, `"`))
			if !filepath.IsAbs(p) {
				p = filepath.Join(dir, p)
			}
			paths = append(paths, p)
		}
		lines[i] = m[1] + " " + strings.Join(paths, " ")
	}
	return []byte(strings.Join(lines, "\n"))
}

// get is the first value of key for alias, or "".
func (c *userConfig) get(alias, key string) (string, error) {
	for _, f := range c.files {
		v, err := f.Get(alias, key)
		if err != nil {
			return "", fmt.Errorf("ssh_config: %s for %s: %w", key, alias, err)
		}
		if v != "" {
			return v, nil
		}
	}
	return "", nil
}

// all is every value of key for alias, in order.
func (c *userConfig) all(alias, key string) ([]string, error) {
	var values []string
	for _, f := range c.files {
		v, err := f.GetAll(alias, key)
		if err != nil {
			return nil, fmt.Errorf("ssh_config: %s for %s: %w", key, alias, err)
		}
		values = append(values, v...)
	}
	return values, nil
}
