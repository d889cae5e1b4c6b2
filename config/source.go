package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/stowage-run/stowage/diag"
)

// rooted reads files below the configuration's directory and remembers what it read: the digest of the
// configuration is over exactly that. Symbolic links that lead out of the directory are refused by os.Root.
type rooted struct {
	dir   string
	shown string
	root  *os.Root

	mu    sync.Mutex
	read  map[string][]byte // by path below dir
	asked map[string]string // other questions, with their answers: fileset, fileexists
}

func openRoot(dir, shown string) (*rooted, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	return &rooted{dir: abs, shown: shown, root: root, read: map[string][]byte{}, asked: map[string]string{}}, nil
}

// name is how a path below the directory is shown.
func (r *rooted) name(path string) string { return filepath.Join(r.shown, path) }

// inside turns a path as configuration writes it into one below the directory.
func (r *rooted) inside(path string) (string, error) {
	outside := &remedyError{"the path " + path + " leads out of the configuration's directory, and only what is in it is read", "copy the file beside stowage.hcl"}
	if strings.HasPrefix(path, "~") {
		return "", outside
	}
	if filepath.IsAbs(path) {
		rel, err := filepath.Rel(r.dir, path)
		if err != nil {
			return "", err
		}
		path = rel
	}
	path = filepath.Clean(path)
	if !filepath.IsLocal(path) {
		return "", outside
	}
	return path, nil
}

// errTooLarge is in the error for a file of more than maxFileSize bytes.
var errTooLarge = errors.New("is larger than 1 MiB")

// file reads one file of at most maxFileSize bytes. What was read once is not read again.
func (r *rooted) file(path string) ([]byte, error) {
	path, err := r.inside(path)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, ok := r.read[path]; ok {
		return b, nil
	}
	f, err := r.root.Open(path)
	if err != nil {
		return nil, r.explain(path, err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() {
		return nil, errors.New("the file " + r.name(path) + " is not a regular one")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, r.explain(path, err)
	}
	if len(b) > maxFileSize {
		return nil, fmt.Errorf("the file %s %w", r.name(path), errTooLarge)
	}
	r.read[path] = b
	return b, nil
}

func (r *rooted) explain(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no file " + r.name(path))
	}
	return errors.New("cannot read " + r.name(path) + ": " + err.Error())
}

// exists reports whether there is a regular file.
func (r *rooted) exists(path string) (bool, error) {
	path, err := r.inside(path)
	if err != nil {
		return false, err
	}
	st, err := r.root.Stat(path)
	ok := err == nil && st.Mode().IsRegular()
	answer := "no"
	if ok {
		answer = "yes"
	}
	r.note("exists "+path, answer)
	return ok, nil
}

func (r *rooted) note(question, answer string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[question] = answer
}

// configFiles lists the configuration's files, and those that give variables values, in lexical order.
func (r *rooted) configFiles() (files, vars []string, err error) {
	d, err := r.root.Open(".")
	if err != nil {
		return nil, nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		n := e.Name()
		switch {
		case e.IsDir() || strings.HasPrefix(n, ".") || strings.HasPrefix(n, "#") || strings.HasSuffix(n, "~"):
		case strings.HasSuffix(n, ".auto.vars.hcl"):
			vars = append(vars, n)
		case n == "stowage.hcl", strings.HasSuffix(n, ".stow.hcl"), strings.HasSuffix(n, ".stow.json"):
			files = append(files, n)
		}
	}
	slices.Sort(files)
	slices.Sort(vars)
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "stowage.vars.hcl" && !e.IsDir() }) {
		vars = append([]string{"stowage.vars.hcl"}, vars...)
	}
	return files, vars, nil
}

// noConfig is the message for a directory without configuration.
func noConfig(dir string) diag.Diagnostic {
	return diag.Diagnostic{Code: diag.CodeNoConfig, Summary: "No configuration here",
		Detail: "There is no stowage.hcl and no *.stow.hcl file in " + dir + ".", Remedy: "stowage init"}
}

// readAll reads and parses all configuration files.
func (c *Config) readAll(files []string, g *grammar) ([]*body, diag.List) {
	var diags diag.List
	var bodies []*body
	for _, f := range files {
		src, err := c.root.file(f)
		if err != nil {
			d := diag.Diagnostic{Code: diag.CodeNoConfig, Summary: "A file cannot be read", Detail: sentence(err.Error())}
			if errors.Is(err, errTooLarge) {
				d.Code, d.Summary = diag.CodeBudget, "Too much in one file"
			}
			diags = append(diags, d)
			continue
		}
		c.files[c.root.name(f)] = src
		b, ds := c.meter.parseFile(src, c.root.name(f), g)
		diags = append(diags, ds...)
		if b != nil {
			bodies = append(bodies, b)
		}
	}
	return bodies, diags
}

// sentence makes an error's text a sentence.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}
