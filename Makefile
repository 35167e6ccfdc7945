# SPDX-License-Identifier: Apache-2.0
#
# Names for what is in hack/; each script there says what it does and can be called alone.

.PHONY: help build install uninstall demo test test-packages test-image test-kubernetes test-policies test-matrix judge differential compat lint golangci vulnerabilities check-peers bench fuzz mutants reproducible packages release clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

build: ## static binaries in bin/
	@BIN=$(or $(BIN),bin) hack/build
	@printf 'built %s and %s, version %s\nnext: sudo make install && sudo nonroot-ctl setup\n' \
	  $(or $(BIN),bin)/nonroot-runc $(or $(BIN),bin)/nonroot-ctl "$$($(or $(BIN),bin)/nonroot-ctl version | awk 'NR == 1 { sub(",$$", "", $$2); print $$2 }')"

install: ## what was built, in place of an older one, with man pages and completions (PREFIX, SBINDIR, MANDIR, DATADIR, DESTDIR)
	hack/install

uninstall: ## takes it away again; refused while an engine or a container needs it
	hack/install remove

demo: ## runc and nonroot-runc side by side (as root)
	hack/demo

test: ## every suite, with what it needs installed first (as root)
	hack/test

test-packages: ## the packages, made twice and in two versions: installed, upgraded, removed, purged; and a whole release (as root, minutes)
	hack/bats-engines test/bats/engines/packages.bats
	hack/test-release

test-image: ## the agent's image, built by Docker's two builders, each twice (as root, minutes)
	hack/bats-engines test/bats/engines/image.bats

test-kubernetes: ## a Kubernetes cluster of two nodes, built from the Go module proxy first (as root; a quarter of an hour, then minutes)
	hack/bats-kubernetes

test-policies: ## the admission policies, judged by the engines that they are for, built first (as root; most of an hour, then a minute)
	hack/policies

test-matrix: ## the end-to-end tests again on newer runtimes and engines, built first (as root, half an hour)
	hack/test-matrix

judge: ## what the kernel says of COUNT (2000) generated containers under each runtime (as root, minutes)
	hack/judge

compat: ## which images and applications that expect root work without it (as root; installs what it needs, gigabytes in .cache)
	hack/compat

lint: ## everything that needs no running
	hack/lint

golangci: ## golangci-lint by .golangci.yml, built first (over ten minutes of CPU time); ARGS
	hack/golangci $(ARGS)

vulnerabilities: ## known vulnerabilities in what is linked, by govulncheck (asks vuln.go.dev)
	hack/vulnerabilities

check-peers: ## nonroot-ctl check beside other tools, into docs/check.md (PEERS=all builds those too that take long; BENCH=1 measures)
	hack/check-peers

bench: build ## how much the wrapper costs (as root); BASE=COMMIT: beside the build of that commit
	hack/bench

differential: ## command lines, as the runtimes' own sources read them (COUNT, SEED)
	hack/differential

fuzz: ## each fuzz target for FUZZTIME (30s)
	hack/fuzz

mutants: ## changes of what decides, one at a time, which its tests have to notice (four minutes of CPU time)
	hack/mutants

reproducible: ## builds the commit twice, elsewhere, and compares
	hack/reproducible

packages: ## dist/*.deb and dist/*.rpm for amd64 and arm64 (VERSION)
	hack/packages

release: ## dist/ of VERSION: archives, packages, an SBOM of each program, and SHA256SUMS, signed with the minisign KEY
	hack/release

clean: ## removes what was built
	rm -rf bin dist .cache
