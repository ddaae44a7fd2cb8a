# Everything here needs Go, gcc (for the race detector), make and git, and
# nothing else. `make` alone lists the targets.

GO      ?= go
BIN     := bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/salita-mesh/salita/core.Version=$(VERSION)
PLUGINS := $(notdir $(wildcard plugins/*))
TOOL    := $(GO) tool -modfile=tools/go.mod
BUF     := $(GO) tool -modfile=../../../tools/buf/go.mod buf
CHECKED := $(GO) run -modfile=tools/go.mod

export CGO_ENABLED ?= 0

.PHONY: help run build test test-long bench check fmt generate promise clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: build ## build everything and start the gateway with ./config.hcl
	$(BIN)/salita serve $(ARGS)

# Programs that others can write to are refused as plugins, whatever umask the
# builder has.
build: ## build bin/salita and the plugins in bin/plugins
	@umask 022; mkdir -p $(BIN)/plugins; chmod go-w $(BIN) $(BIN)/plugins
	umask 022; $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/salita ./cmd/salita
	@for p in $(PLUGINS); do \
	  echo "$(GO) build ./plugins/$$p"; \
	  umask 022; $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/plugins/salita-plugin-$$p ./plugins/$$p || exit 1; \
	done

test: build ## all tests, with the race detector; installs a browser when there is none
	./scripts/install-test-tools
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 20m ./...
	./scripts/fuzz 3s FuzzBrowserRequests FuzzVerify FuzzFirstBytes FuzzDecode FuzzContentDisposition

test-long: build ## the same with long crash, soak and fuzz runs (about half an hour)
	./scripts/install-test-tools
	CGO_ENABLED=1 SALITA_LONG=1 $(GO) test -race -shuffle=on -timeout 60m ./...
	./scripts/fuzz 60s

bench: build ## measure against peers, side by side, into docs/BENCHMARKS.md
	$(GO) run ./bench

check: ## format, vet, lint, walls, generated code, the plugin protocol
	@out="$$($(TOOL) gofumpt -l $$(git ls-files '*.go' | grep -v '\.pb\.go$$'))"; test -z "$$out" || { echo "not formatted:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(GO) test ./internal/walls/
	cd sdk/internal/wire && $(BUF) lint && $(BUF) breaking --against baseline.binpb
	$(MAKE) generate
	git diff --exit-code -- sdk/internal/wire

fmt: ## format the code
	$(TOOL) gofumpt -w $$(git ls-files '*.go' | grep -v '\.pb\.go$$')

generate: ## generate the plugin protocol's Go code
	cd sdk/internal/wire && PATH="$$PATH" $(BUF) generate

# Run it when a release promises what has been added since the last one. Before
# that, additions may still change; after it, make check refuses what breaks them.
promise: ## take the plugin protocol as it is now for the baseline of make check
	cd sdk/internal/wire && $(BUF) breaking --against baseline.binpb && $(BUF) build --exclude-source-info -o baseline.binpb

clean: ## remove what was built
	rm -rf $(BIN)
