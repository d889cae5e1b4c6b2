// Package stowage_test holds the tests of the repository's own rules: who may import whom, and what no package does.
package stowage_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/stowage-run/stowage"

// The allowed imports. "a, b < c, d" lets c and d import a and b; what no line allows is forbidden. It is about
// direct imports: nothing is passed on, so that a package that gains a dependency is seen here. A name in capitals
// is a group. The standard library is free to all but the pure packages below.
//
// Do not change this to mend a build. Change it in a commit of its own, with the reason.
const allowed = `
	# Third parties, by what they are for.
	HCL      = github.com/hashicorp/hcl/v2 github.com/zclconf/go-cty github.com/hashicorp/go-cty-funcs
	WORDS    = github.com/agext/levenshtein github.com/hashicorp/go-version github.com/google/uuid
	VERSION  = github.com/hashicorp/go-version
	IMAGEREF = github.com/distribution/reference
	DOCKER   = github.com/docker/docker github.com/docker/go-connections github.com/docker/go-units github.com/containerd/errdefs
	REGISTRY = github.com/google/go-containerregistry
	SSH      = golang.org/x/crypto/ssh github.com/skeema/knownhosts github.com/kevinburke/ssh_config github.com/gofrs/flock
	BOLT     = go.etcd.io/bbolt github.com/google/renameio/v2
	COMMAND  = github.com/spf13/cobra github.com/spf13/pflag github.com/docker/go-units github.com/google/renameio/v2
	COMMAND  = github.com/google/uuid github.com/kevinburke/ssh_config
	TERM     = golang.org/x/term
	BACKOFF  = github.com/cenkalti/backoff/v5
	GRPC     = google.golang.org/grpc
	SYNC     = golang.org/x/sync
	SYS      = golang.org/x/sys
	TEST     = github.com/google/go-cmp pgregory.net/rapid go.uber.org/goleak golang.org/x/tools/txtar
	TEST     = github.com/rogpeppe/go-internal github.com/creack/pty

	# The vocabulary, and what has no domain: the standard library only.
	NONE < fleet, diag, internal/plaintext, examples/web;

	# A witness for tests: it shares nothing with what it watches.
	NONE < internal/observer;

	# Mistakes made on purpose, to prove the simulation: constants that are false in every build but its own.
	NONE < internal/sim/bug;
	internal/sim/bug < plan, apply, internal/sim;

	# Pure: values in, values out.
	fleet, VERSION < schedule;
	fleet, state, diag < plan;
	fleet < drawing;

	fleet, diag, HCL, WORDS, IMAGEREF < config;
	fleet < state, providers;
	fleet, providers, GRPC < health;
	fleet, health, plan, providers, state, BACKOFF < apply;
	fleet, diag, schedule, plan, apply, providers, state < reconcile;

	# Siblings never import each other. Only docker knows Docker, only ssh knows SSH.
	fleet, providers, IMAGEREF < providers/fake;
	fleet, providers, REGISTRY, TEST < providers/providertest;
	TERM < providers/providertest/probe;
	NONE < providers/remote;
	providers/remote < providers/remote/local;
	fleet, providers/remote, SSH, SYNC < providers/remote/ssh;
	fleet, providers, providers/remote, DOCKER, IMAGEREF, SYNC < providers/docker;
	providers, REGISTRY < providers/registry;

	state < state/memory;
	fleet, state, BOLT, SYS < state/bolt;
	fleet, state, TEST < state/statetest;

	# Real hosts. It knows nothing of the tool, which knows nothing of it.
	SSH, DOCKER, SYNC, SYS < internal/testfleet;
	internal/testfleet < internal/testfleet/cmd/fleet, internal/testfleet/cmd/localengine;
	REGISTRY < internal/webimage;
	internal/webimage < internal/webimage/cmd/webimage;
	diag < docs/generate;

	# The life of a fleet in memory, with the product as it is: only a test lives it.
	fleet, plan, apply, providers, providers/fake, reconcile, state, state/memory < internal/sim;

	# Only the command puts it together.
	apply, config, diag, drawing, fleet, internal/plaintext, plan, reconcile, state, state/bolt < cmd/stowage;
	providers, providers/docker, providers/registry, providers/remote < cmd/stowage;
	providers/remote/local, providers/remote/ssh, COMMAND, TERM, SYNC < cmd/stowage;

	# Benchmarks see all there is to measure, and the bare API beside it.
	reconcile < bench;
	fleet, schedule < bench/nomad;
	fleet, providers, providers/docker, providers/remote/ssh < bench/compare;
	internal/testfleet, internal/webimage, DOCKER, SYNC < bench/compare;
	internal/observer, internal/testfleet, internal/webimage, DOCKER < bench/swarm;
`

// What _test.go files may import beyond their own package's line: the tools of tests, what is real in memory,
// the vocabulary, and the ways to real hosts and files.
const allowedInTests = `TEST fleet diag providers providers/docker providers/fake providers/providertest providers/remote/local providers/remote/ssh
	state state/memory state/bolt state/statetest internal/testfleet internal/webimage internal/observer SSH SYS BOLT REGISTRY DOCKER`

// Pure packages take the clock, chance and the world as arguments. That is what makes what-if plans, property
// tests and a simulated fleet possible.
var pure = []string{"schedule", "plan", "drawing"}

var impureImports = []string{"context", "crypto/rand", "math/rand", "math/rand/v2", "os", "os/exec", "os/user", "os/signal", "net",
	"net/http", "log", "log/slog", "sync", "sync/atomic", "syscall"}

// nondescript are names that say nothing of what is inside.
var nondescript = []string{"util", "utils", "common", "helpers", "helper", "types", "misc", "base"}

type sourceFile struct {
	name string // slash-separated, from the root
	dir  string
	test bool
	ast  *ast.File
}

func TestImports(t *testing.T) {
	rules := parseRules(t)
	seen := map[string]bool{}
	for _, file := range sources(t) {
		seen[file.dir] = true
		for _, spec := range file.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if standard(imported) || imported == module+"/"+file.dir {
				continue
			}
			if !slices.ContainsFunc(rules.of(file), func(prefix string) bool { return within(imported, prefix) }) {
				t.Errorf("%s imports %s, which no line of deps_test.go allows", file.name, imported)
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(seen)) {
		if !rules.known[dir] && dir != "." {
			t.Errorf("package %s has no line in deps_test.go: say what it may import", dir)
		}
	}
}

func TestPurePackages(t *testing.T) {
	for _, file := range sources(t) {
		if file.test || !slices.Contains(pure, file.dir) {
			continue
		}
		for _, spec := range file.ast.Imports {
			if imported, _ := strconv.Unquote(spec.Path.Value); slices.Contains(impureImports, imported) {
				t.Errorf("%s imports %s: %s is pure", file.name, imported, file.dir)
			}
		}
		for _, name := range selected(file.ast, "time") {
			if slices.Contains([]string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"}, name) {
				t.Errorf("%s calls time.%s: the clock comes in as a value", file.name, name)
			}
		}
	}
}

// Core packages return what they have to say.
func TestNobodyPrints(t *testing.T) {
	for _, file := range sources(t) {
		if file.test || file.ast.Name.Name == "main" {
			continue
		}
		for _, name := range selected(file.ast, "os") {
			if slices.Contains([]string{"Stdout", "Stderr", "Exit"}, name) {
				t.Errorf("%s uses os.%s: only commands do", file.name, name)
			}
		}
		for _, name := range selected(file.ast, "fmt") {
			if strings.HasPrefix(name, "Print") {
				t.Errorf("%s calls fmt.%s: only commands print", file.name, name)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	comments := map[string][]string{}
	for _, file := range sources(t) {
		if file.test {
			continue
		}
		if _, ok := comments[file.dir]; !ok {
			comments[file.dir] = nil
		}
		if file.ast.Doc != nil {
			comments[file.dir] = append(comments[file.dir], file.name)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(comments)) {
		if files := comments[dir]; len(files) != 1 {
			t.Errorf("package %s has %d package comments, want one: %s", dir, len(files), strings.Join(files, " "))
		}
	}
}

func TestNoInit(t *testing.T) {
	for _, file := range sources(t) {
		for _, decl := range file.ast.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function: what runs unasked cannot be read from the call", file.name)
			}
		}
	}
}

func TestPackageNames(t *testing.T) {
	for _, file := range sources(t) {
		name := strings.TrimSuffix(file.ast.Name.Name, "_test")
		if slices.Contains(nondescript, name) || slices.Contains(nondescript, path.Base(file.dir)) {
			t.Errorf("%s: package %s: name a package for what it does", file.name, name)
		}
	}
}

func TestCodesAreExplained(t *testing.T) {
	codes := map[string]bool{}
	for _, file := range sources(t) {
		if file.name != "diag/code.go" {
			continue
		}
		ast.Inspect(file.ast, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				code, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				codes[code] = true
			}
			return true
		})
	}
	if len(codes) == 0 {
		t.Fatal("diag/code.go has no codes")
	}
	files, err := filepath.Glob("diag/explain/*.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, file := range files {
		code := strings.TrimSuffix(filepath.Base(file), ".md")
		explained[code] = true
		if !codes[code] {
			t.Errorf("%s explains a code that diag/code.go lacks", file)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if !explained[code] {
			t.Errorf("diag/explain/%s.md is missing", code)
		}
	}
}

// Every word of the grammar stands in the reference, those that are not supported yet too.
func TestLanguageIsDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, word := range regexp.MustCompile(`[a-z_]+`).FindAllString(string(page), -1) {
		documented[word] = true
	}
	count := 0
	for _, file := range sources(t) {
		if file.name != "config/grammar.go" {
			continue
		}
		ast.Inspect(file.ast, func(n ast.Node) bool {
			if pair, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "labels" {
					return false // what a label is, in messages
				}
			}
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			name, isName := call.Fun.(*ast.Ident)
			list, isText := call.Args[0].(*ast.BasicLit)
			if !isName || !isText || name.Name != "words" {
				return true
			}
			text, err := strconv.Unquote(list.Value)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range strings.Fields(text) {
				count++
				if !documented[word] {
					t.Errorf("docs/language.md does not have %s", word)
				}
			}
			return true
		})
	}
	if count < 100 {
		t.Errorf("found %d words of the grammar in config/grammar.go, want over 100", count)
	}
}

type rules struct {
	groups  map[string][]string // name in capitals -> import paths
	imports map[string][]string // directory -> names
	known   map[string]bool
	tests   []string
}

func parseRules(t *testing.T) rules {
	t.Helper()
	r := rules{groups: map[string][]string{"NONE": nil}, imports: map[string][]string{}, known: map[string]bool{}}
	for line := range strings.Lines(allowed) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if name, paths, ok := strings.Cut(line, " = "); ok {
			name = strings.TrimSpace(name)
			r.groups[name] = append(r.groups[name], strings.Fields(paths)...)
			continue
		}
		left, right, ok := strings.Cut(strings.TrimSuffix(line, ";"), " < ")
		if !ok {
			if line != "" {
				t.Fatalf("allowed: cannot read %q", line)
			}
			continue
		}
		for dir := range strings.SplitSeq(right, ", ") {
			r.known[dir] = true
			r.imports[dir] = append(r.imports[dir], r.paths(t, strings.Split(left, ", "))...)
		}
	}
	r.tests = r.paths(t, strings.Fields(allowedInTests))
	return r
}

func (r rules) paths(t *testing.T, names []string) []string {
	t.Helper()
	var paths []string
	for _, name := range names {
		group, ok := r.groups[name]
		switch {
		case ok:
			paths = append(paths, group...)
		case strings.ToUpper(name) == name:
			t.Fatalf("allowed: group %s is used before its line", name)
		default:
			paths = append(paths, module+"/"+name)
		}
	}
	return paths
}

func (r rules) of(file sourceFile) []string {
	if file.test {
		return slices.Concat(r.imports[file.dir], r.tests)
	}
	return r.imports[file.dir]
}

// within reports whether an import is of a module or of exactly a package of ours.
func within(imported, prefix string) bool {
	if strings.HasPrefix(prefix, module) {
		return imported == prefix
	}
	return imported == prefix || strings.HasPrefix(imported, prefix+"/")
}

func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// selected returns the names that a file takes from a standard package, import renamed or not.
func selected(file *ast.File, pkg string) []string {
	local := ""
	for _, spec := range file.Imports {
		if spec.Path.Value == strconv.Quote(pkg) {
			local = pkg
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && local != "" && id.Name == local {
				names = append(names, sel.Sel.Name)
			}
		}
		return true
	})
	return names
}

// sources parses every Go file of the repository, whatever its build constraints.
func sources(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if name != "." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		files = append(files, sourceFile{name: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), ast: parsed})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
