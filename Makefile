GO      ?= go
CGO_ENABLED = 0
export CGO_ENABLED

# Two packages at a time: several start real hosts, and CI has two cores.
TESTFLAGS ?= -p 2 -timeout 20m
FUZZTIME  ?= 30s
HOSTS     ?= 3
SEEDS     ?= 100000
START     ?= 1

ENGINE_PACKAGES = dockerd=docker.io docker=docker-cli containerd=containerd iptables=iptables mount=mount hostname=hostname \
	nsenter=util-linux ip=iproute2 sshd=openssh-server
TEST_PACKAGES = $(ENGINE_PACKAGES) ssh=openssh-client git=git strace=strace pgrep=procps

LINT_VERSION = v2.15.0
VULN_VERSION = v1.9.0

.PHONY: build test check lint vuln race fuzz sim sim-bugs bench fleet demo docs clean

build: ## bin/stowage
	$(GO) build -trimpath -o bin/stowage ./cmd/stowage

test: ## everything, real hosts included; installs the Debian packages it needs; needs root
	@.ci/packages $(TEST_PACKAGES)
	$(GO) vet ./...
	$(GO) test $(TESTFLAGS) ./...
	$(GO) test -tags seededbugs ./internal/sim -run=TestSeededBugs

check: ## what needs no host: format, vet, the rules of deps_test.go
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
		if [ -n "$$unformatted" ]; then echo "gofmt -w these:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) test .

lint: PATH := $(PATH):$(shell $(GO) env GOPATH)/bin
lint: ## golangci-lint with .golangci.yml; says what to install where it is missing
	@command -v golangci-lint >/dev/null || { \
		echo "golangci-lint is missing: $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)" >&2; exit 1; }
	golangci-lint config verify
	golangci-lint run ./...

vuln: ## known vulnerabilities in what is called, except those that .ci/vuln allows; needs vuln.go.dev
	@.ci/vuln $(GO) run golang.org/x/vuln/cmd/govulncheck@$(VULN_VERSION)

race: CGO_ENABLED = 1
race: ## everything under the race detector; needs a C compiler
	@.ci/packages $(TEST_PACKAGES) gcc=gcc /usr/include/stdlib.h=libc6-dev
	$(GO) test -race $(TESTFLAGS) ./...

fuzz: ## each fuzz target for FUZZTIME
	@set -e; for file in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
			echo "$$file $$target"; \
			$(GO) test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) ./$$(dirname $$file); \
		done; \
	done

sim: ## SEEDS simulated fleets from START, nightly: rollouts with faults at every moment
	$(GO) test -count=1 -timeout 6h ./internal/sim -run=TestLives -v -sim.seeds=$(SEEDS) -sim.start=$(START)

sim-bugs: ## that the simulation finds each of the mistakes in internal/sim/bug
	$(GO) test -count=1 -tags seededbugs ./internal/sim -run=TestSeededBugs -v

bench: build ## figures, beside peers where they are found; never fails a build
	@.ci/packages $(TEST_PACKAGES)
	-$(GO) test -run='^$$' -bench=. -benchmem -timeout 60m ./...
	-$(GO) run ./bench/compare -stowage bin/stowage
	-$(GO) run ./bench/swarm
	-$(GO) run ./bench/nomad

fleet: ## HOSTS real hosts to play with, until Ctrl-C
	@.ci/packages $(TEST_PACKAGES)
	$(GO) run ./internal/testfleet/cmd/fleet -n $(HOSTS)

demo: build ## the whole tool on this machine's engine
	@.ci/demo $(ENGINE_PACKAGES)

docs: ## what is generated in docs/
	$(GO) run ./docs/generate >docs/errors.md.new
	mv docs/errors.md.new docs/errors.md
	$(GO) test -count=1 -run=TestPlacementDrawingIsTrue ./cmd/stowage -update

clean:
	rm -rf bin .demo
