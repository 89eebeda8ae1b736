# Everything is made from here; `make help` says what.

# Cargo runs in several folders, so a target folder given relative to this one must be spelled out.
ifdef CARGO_TARGET_DIR
export CARGO_TARGET_DIR := $(abspath $(CARGO_TARGET_DIR))
endif

EXAMPLE := examples/helloworld
PIZZERIA := examples/pizzeria
GUESTS := $(EXAMPLE) $(PIZZERIA) tests/guests benches/guests
GO_MODULES := parigot-guest-go $(EXAMPLE)-go $(PIZZERIA) tests/guests-go tests/abi/go docs/samples/go
SOAK_SECONDS ?= 600
SOAK_REQUESTS ?= 100000
SOAK_SEEDS ?= 10000
# Each run tries others; the same seed tries the same.
SOAK_SEED ?= $(shell date +%s)
WASM := wasm32-unknown-unknown
TOOLS := $(or $(CARGO_TARGET_DIR),target)/tools
BUF_VERSION := v1.50.0
export BUF ?= $(abspath $(TOOLS))/buf-$(BUF_VERSION)/buf
STATICCHECK_VERSION := v0.8.2
STATICCHECK := $(abspath $(TOOLS))/staticcheck-$(STATICCHECK_VERSION)/staticcheck
NATS_VERSION := v2.15.2
export NATS_SERVER ?= $(abspath $(TOOLS))/nats-server-$(NATS_VERSION)/nats-server
MDBOOK_VERSION := 0.5.4
MDBOOK := $(abspath $(TOOLS))/mdbook-$(MDBOOK_VERSION)/bin/mdbook
CLIPPY := cargo clippy --quiet
DENY := -- --deny warnings

.NOTPARALLEL:
.PHONY: help setup hello test lint guests go docs bench soak

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## fetch what rustup has and this needs: the wasm target, rustfmt, clippy
	@command -v cargo >/dev/null || { echo 'cargo is missing: install rustup, see https://rustup.rs' >&2; exit 1; }
	@test -d "$$(rustc --print target-libdir --target $(WASM))" || rustup target add $(WASM)
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

# `make BUF=…` takes one that is there.
$(abspath $(TOOLS))/buf-$(BUF_VERSION)/buf:
	@command -v go >/dev/null || { echo 'go is missing: see https://go.dev/doc/install' >&2; exit 1; }
	GOBIN=$(@D) go install github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION)

# So does `make NATS_SERVER=…`.
$(abspath $(TOOLS))/nats-server-$(NATS_VERSION)/nats-server:
	@command -v go >/dev/null || { echo 'go is missing: see https://go.dev/doc/install' >&2; exit 1; }
	GOBIN=$(@D) go install github.com/nats-io/nats-server/v2@$(NATS_VERSION)

hello: setup ## build the example and run it
	@$(MAKE) --no-print-directory -C $(EXAMPLE) run

test: setup lint guests go docs $(BUF) $(NATS_SERVER) ## run all checks and tests
	cargo test --quiet --workspace
	cd tests/interop && cargo test --quiet
	@$(MAKE) --no-print-directory -C $(EXAMPLE) test
	@$(MAKE) --no-print-directory -C $(EXAMPLE)-go test
	@$(MAKE) --no-print-directory -C $(PIZZERIA) test

lint: setup ## check formatting, style, lints and documentation
	cargo fmt --check
	cargo run --quiet --package style-lint
	$(CLIPPY) --workspace --all-targets $(DENY)
	@for workspace in benches/tokio tests/interop; do \
		echo "$$workspace"; \
		(cd $$workspace && cargo fmt --check && $(CLIPPY) --all-targets $(DENY)) || exit; \
	done
	RUSTDOCFLAGS='--deny warnings' cargo doc --quiet --workspace --no-deps --features parigot-host/testing

guests: setup ## check what guests are made of, compiled for wasm, with each feature of the SDK on and off
	@for features in '' std allocator panic-handler rt std,allocator,rt getrandom; do \
		echo "parigot-guest with the features [$$features]"; \
		RUSTFLAGS='--cfg getrandom_backend="custom"' $(CLIPPY) --package parigot-guest --target $(WASM) \
			--no-default-features --features "$$features" $(DENY) || exit; \
	done
	@echo 'what the generator writes'
	@$(CLIPPY) --package golden --target $(WASM) $(DENY)
	@$(MAKE) --no-print-directory -C $(EXAMPLE) generate
	@$(MAKE) --no-print-directory -C $(PIZZERIA) generate
	@for workspace in $(GUESTS); do \
		echo "guests in $$workspace"; \
		(cd $$workspace && cargo fmt --check && $(CLIPPY) --target $(WASM) $(DENY)) || exit; \
	done

# U1000 takes what only the host calls for unused.
go: $(STATICCHECK) ## check and test what is written in Go
	@command -v go >/dev/null || { echo 'go is missing: see https://go.dev/doc/install' >&2; exit 1; }
	@$(MAKE) --no-print-directory -C $(PIZZERIA) generate
	@for module in $(GO_MODULES); do \
		echo "Go in $$module"; \
		(cd $$module && unformatted=$$(gofmt -l .) && if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted" >&2; exit 1; fi && \
			go vet ./... && GOOS=wasip1 GOARCH=wasm go vet ./...) || exit; \
	done
	@unformatted=$$(gofmt -l tests/interop/go) && if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted" >&2; exit 1; fi
	cd parigot-guest-go && $(STATICCHECK) -checks=all ./... && GOOS=wasip1 GOARCH=wasm $(STATICCHECK) -checks=all,-U1000 ./... && go test -race ./...

$(STATICCHECK):
	GOBIN=$(@D) go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)

# mdBook exits with 0 after a missing include, so any warning or error in its log fails the build.
docs: $(MDBOOK) ## build the user guide into docs/book; warnings are errors
	@log=$$(MDBOOK_LOG=warn $(MDBOOK) build docs 2>&1) && test -z "$$log" || { echo "$$log" >&2; exit 1; }

$(MDBOOK):
	cargo install --quiet mdbook --version $(MDBOOK_VERSION) --locked --no-default-features --debug --root $(dir $(@D))

bench: setup ## measure what calls and idle guests cost; builds everything optimised first
	cargo build --quiet --release --bin parigot --bin bench
	@$(MAKE) --no-print-directory -C $(EXAMPLE) build
	@$(or $(CARGO_TARGET_DIR),target)/release/bench

soak: setup $(NATS_SERVER) ## try SOAK_REQUESTS (100,000) on the generator, random bytes on every reader of the ABI for SOAK_SECONDS (600), SOAK_SEEDS (10,000) interleavings of guests, then budgets, idle guests, 20 million calls and a million between processes
	PARIGOT_SOAK_REQUESTS=$(SOAK_REQUESTS) PARIGOT_SOAK_SEED=$(SOAK_SEED) cargo test --quiet --package protoc-gen-parigot \
		--test plugin -- --nocapture every_request
	PARIGOT_SOAK_SECONDS=$(SOAK_SECONDS) cargo test --quiet --package parigot-abi --test abi -- --nocapture fuzz
	PARIGOT_SEEDS=$(SOAK_SEED)..$$(($(SOAK_SEED) + $(SOAK_SEEDS))) cargo test --quiet --workspace --test e2e -- --nocapture interleavings::
	PARIGOT_SOAK_SECONDS=$(SOAK_SECONDS) PARIGOT_SOAK_SEED=$(SOAK_SEED) cargo test --quiet --workspace --test measured -- --nocapture \
		budget:: idle:: soak::
