# Two commands are all most people need: `make run` and `make test`.
# Everything is made below .dev/, which may be removed at any time.

SHELL := /bin/sh
DEVSTACK := .dev/bin/devstack

# make test ARGS='-run TestUpsert -v' PKG=./internal/store/...
ARGS ?=
PKG ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(DEVSTACK) ## bring everything up on this machine with a demo that syncs; Ctrl-C stops it
	@$(DEVSTACK) up

.PHONY: test
test: $(DEVSTACK) ## run every check and every test (some: ARGS='-run X' PKG=./internal/store/...)
	@$(DEVSTACK) test $(ARGS) $(PKG)

# make soak FOR=10m SEED=42; without FOR until Ctrl-C, without SEED with seeds nobody has had.
FOR ?= ever
SEED ?=
.PHONY: soak
soak: $(DEVSTACK) ## play random scripts against the simulator until one fails (FOR=10m, SEED=42)
	@SOAK_FOR=$(FOR) SOAK_SEED=$(SEED) $(DEVSTACK) test -v -timeout 0 -run '^TestSoak$$' ./internal/soak

# make chaos FOR=30m SEED=42 RATE=6. Everything it makes is below .dev/chaos. See docs/chaos.md.
RATE ?= 4
.PHONY: chaos
chaos: ## kill, halt and part everything at random under load, and compare (FOR=30m, SEED=42, RATE=6)
	@go build -buildvcs=false -o .dev/bin/chaos ./internal/cmd/chaos
	@.dev/bin/chaos -for $(if $(filter ever,$(FOR)),5m,$(FOR)) -rate $(RATE) $(if $(SEED),-seed $(SEED)) $(if $(MAIL_DIR),-mail $(MAIL_DIR)) $(ARGS)

# The same source, Go and VERSION give the same bytes, in any folder: no path is in them.
# The Dockerfile builds with the same words.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w -X salesforcesync/internal/build.version=$(VERSION)"
PROGRAMS := worker starter authsvc
BIN ?= bin

.PHONY: build
build: ## build the three programs into bin/
	$(BUILD) -o $(BIN)/ $(PROGRAMS:%=./%)

# What is in each program, read out of the program itself: modules, versions, hashes, licences.
.PHONY: sbom
sbom: build ## list what each program is made of, as CycloneDX JSON beside it in bin/
	@for p in $(PROGRAMS); do \
		go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -licenses -std -noserial -notimestamp \
			-version "$(VERSION)" -output $(BIN)/$$p.cdx.json $(BIN)/$$p || exit 1; \
	done

.PHONY: release
release: ## build what is released: programs, what they are made of, checksums
	go mod verify
	@$(MAKE) --no-print-directory sbom
	cd $(BIN) && sha256sum $(PROGRAMS) $(PROGRAMS:%=%.cdx.json) > SHA256SUMS

# Minutes of CPU: everything is compiled once more, in another folder and with nothing kept from before.
.PHONY: reproduce
reproduce: build ## build once more from scratch elsewhere, and compare with bin/
	@dir=$$(mktemp -d) && trap 'chmod -R u+w "$$dir"; rm -rf "$$dir"' EXIT && mkdir "$$dir/src" && \
	cp -R go.mod go.sum workflows activities worker starter authsvc internal "$$dir/src/" && cd "$$dir/src" && \
	GOCACHE="$$dir/cache" $(BUILD) -o "$$dir/bin/" $(PROGRAMS:%=./%) && \
	for p in $(PROGRAMS); do cmp "$$dir/bin/$$p" "$(abspath $(BIN))/$$p" || exit 1; done && echo "the same bytes"

# Asks the internet for what is known of the versions we use.
.PHONY: vulncheck
vulncheck: ## look for known weaknesses in what the programs call
	go run golang.org/x/vuln/cmd/govulncheck@v1.1.4 $(PROGRAMS:%=./%)

# Built once: golangci-lint is larger than all of ours. staticcheck and gosec are in it.
LINT_VERSION := v2.15.0
LINT := .dev/bin/golangci-lint-$(LINT_VERSION)
$(LINT):
	@mkdir -p $(@D) && GOBIN="$(abspath .dev/bin/lint)" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION) && \
	mv .dev/bin/lint/golangci-lint $@ && rmdir .dev/bin/lint

.PHONY: lint
lint: $(LINT) ## run golangci-lint with staticcheck and gosec; it is built the first time
	$(LINT) run ./...

# On a released commit, once per release: histories of a release that exists are never recorded again.
.PHONY: record-replay
record-replay: ## record workflow histories of a release for the replay test (RELEASE=v0.2.0)
	go run ./internal/cmd/recordhistories $(RELEASE)

# PostgreSQL is the server of DATABASE_URL, else one that is thrown away afterwards.
.PHONY: cursor-rules
cursor-rules: ## play a simulated day to other tools' cursor rules and to ours (ARGS='-seed 2 -hours 10')
	@go run -buildvcs=false ./internal/cmd/cursorrules $(ARGS)

# Some minutes, and 10 GB below .dev/bench that are removed afterwards. See docs/performance.md.
.PHONY: bench
bench: ## load the same mails into the product and into what people use instead (ARGS='-rows 20000 -runs 1')
	@go build -buildvcs=false -o .dev/bin/bench ./internal/cmd/bench
	@.dev/bin/bench $(ARGS)

# Half an hour, and 30 GB below .dev/bench-read that are removed afterwards. See docs/performance.md.
.PHONY: bench-read
bench-read: ## fill a source with comments and measure how fast they are read (ARGS='-rows 1000000')
	@go build -buildvcs=false -o .dev/bin/benchread ./internal/cmd/benchread
	@.dev/bin/benchread $(ARGS)

# A quarter of an hour. See docs/scaling.md.
.PHONY: bench-idle
bench-idle: ## measure what integrations take that have nothing to do (ARGS='-integrations 100 -for 2m')
	@go build -buildvcs=false -o .dev/bin/benchidle ./internal/cmd/benchidle
	@.dev/bin/benchidle $(ARGS)

# MAIL_DIR may name a folder of real mails (*.eml). See docs/cleaning.md.
.PHONY: bench-clean
bench-clean: ## take mails of each kind apart, and print how fast
	go test -run '^$$' -bench '^BenchmarkClasses$$' -benchtime 1s ./internal/clean
	go test -run '^$$' -bench '^BenchmarkEndless$$' -benchtime 1x ./internal/clean

.PHONY: fmt
fmt: ## format all Go files
	gofmt -w $$(go list -f '{{.Dir}}' ./...)

.PHONY: temporal
temporal: $(DEVSTACK) ## print where the temporal program is; builds it when it is missing
	@$(DEVSTACK) temporal

.PHONY: clean
clean: ## remove everything make run and make test made, the demo's data too
	rm -rf .dev bin

# Not `go run`: it does not pass a SIGTERM on to the program. Go knows whether there is something to
# build. Nothing below .dev/ is stamped with the commit: git may refuse to answer in a container.
.PHONY: $(DEVSTACK)
$(DEVSTACK):
	@go build -buildvcs=false -o $@ ./internal/cmd/devstack

# The pictures in docs/images, from a demo that runs in another terminal (make run).
.PHONY: screenshots
screenshots: ## take the pictures of the pages from the demo that runs
	@set -a; [ ! -f .dev/demo.env ] || . .dev/demo.env; go run -buildvcs=false ./internal/cmd/screenshots
