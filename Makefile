# Entry point of the project: `make help` lists the targets.

# Cargo runs in several folders, so a relative target folder is made absolute here.
ifdef CARGO_TARGET_DIR
export CARGO_TARGET_DIR := $(abspath $(CARGO_TARGET_DIR))
endif

EXAMPLE := examples/helloworld
SHOP := examples/shop
STREAMS := examples/streams
GUESTS := $(EXAMPLE) $(SHOP) $(STREAMS) tests/guests benches/guests
GO_MODULES := parigot-guest-go $(EXAMPLE)-go $(SHOP) tests/guests-go tests/abi/go docs/samples/go
SOAK_SECONDS ?= 600
SOAK_REQUESTS ?= 100000
SOAK_SEEDS ?= 10000
SOAK_FUZZ_SECONDS ?= 240
# Each run has a seed of its own; a given seed repeats its run.
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
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := $(abspath $(TOOLS))/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz
# The fuzz targets have a target folder of their own, since all their code counts its coverage.
FUZZ_TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))/fuzz
CLIPPY := cargo clippy --quiet
DENY := -- --deny warnings

.NOTPARALLEL:
.PHONY: help setup tools debuggers hello test lint style guests go docs examples interop rust conformance bench soak fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the wasm target, rustfmt and clippy by rustup
	@command -v cargo >/dev/null || { echo 'cargo is missing: install rustup, see https://rustup.rs' >&2; exit 1; }
	@test -d "$$(rustc --print target-libdir --target $(WASM))" || rustup target add $(WASM)
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

# `make BUF=…` uses another one.
$(abspath $(TOOLS))/buf-$(BUF_VERSION)/buf:
	@command -v go >/dev/null || { echo 'go is missing: see https://go.dev/doc/install' >&2; exit 1; }
	GOBIN=$(@D) go install github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION)

# `make NATS_SERVER=…` uses another one.
$(abspath $(TOOLS))/nats-server-$(NATS_VERSION)/nats-server:
	@command -v go >/dev/null || { echo 'go is missing: see https://go.dev/doc/install' >&2; exit 1; }
	GOBIN=$(@D) go install github.com/nats-io/nats-server/v2@$(NATS_VERSION)

debuggers: ## install gdb and lldb as root, else print the command
	@missing=; for tool in $(DEBUGGERS); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
		if [ -z "$$missing" ]; then exit 0; fi; \
		install="apt-get install --yes --no-install-recommends$$missing"; \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update && $$install; \
		else echo "$$missing: missing; run: sudo $$install" >&2; exit 1; fi

hello: setup ## build the host and the example, and run it
	@echo 'Building the parigot host and the example: 5 to 10 minutes the first time on two cores, most'
	@echo 'of them for the wasm engine; seconds later on. The example then logs a greeting.'
	@$(MAKE) --no-print-directory -C $(EXAMPLE) run

# Debuggers come from the packages of Debian and Ubuntu, which only root can install.
DEBUGGERS := gdb lldb-19

tools: setup debuggers $(BUF) $(NATS_SERVER) $(STATICCHECK) $(MDBOOK) ## install the tools of the tests into the target folder

test: ## run all checks and tests, and print the time of each step
	@for step in tools lint guests go docs examples interop rust conformance; do \
		start=$$(date +%s); \
		$(MAKE) --no-print-directory $$step || exit; \
		echo "make $$step took $$(($$(date +%s) - start)) s"; \
	done

rust: setup debuggers $(BUF) $(NATS_SERVER) ## run the Rust tests of the workspace
	cargo test --quiet --workspace --no-fail-fast

conformance: setup ## run the conformance suite of Connect against the edge
	@$(MAKE) --no-print-directory -C tests/conformance unary

interop: setup ## run the tests against other protobuf libraries
	cd tests/interop && cargo test --quiet

examples: setup ## run the tests of the examples
	@$(MAKE) --no-print-directory -C $(EXAMPLE) test
	@$(MAKE) --no-print-directory -C $(EXAMPLE)-go test
	@$(MAKE) --no-print-directory -C $(SHOP) test
	@$(MAKE) --no-print-directory -C $(STREAMS) test

lint: setup style ## check formatting, language, lints and documentation
	cargo fmt --check
	$(CLIPPY) --workspace --all-targets $(DENY)
	@for workspace in benches/tokio tests/interop; do \
		echo "$$workspace"; \
		(cd $$workspace && cargo fmt --check && $(CLIPPY) --all-targets $(DENY)) || exit; \
	done
	RUSTDOCFLAGS='--deny warnings' cargo doc --quiet --workspace --no-deps --features parigot-host/testing

style: setup ## check the language and layout rules of CONTRIBUTING.md over the whole tree
	cargo run --quiet --package style-lint

guests: setup ## check guests and SDK compiled for wasm, with each feature on and off
	@for features in '' std allocator panic-handler rt std,allocator,rt getrandom; do \
		echo "parigot-guest with the features [$$features]"; \
		RUSTFLAGS='--cfg getrandom_backend="custom"' $(CLIPPY) --package parigot-guest --target $(WASM) \
			--no-default-features --features "$$features" $(DENY) || exit; \
	done
	@echo 'generated code'
	@$(CLIPPY) --package golden --target $(WASM) $(DENY)
	@$(MAKE) --no-print-directory -C $(EXAMPLE) generate
	@$(MAKE) --no-print-directory -C $(SHOP) generate
	@$(MAKE) --no-print-directory -C $(STREAMS) generate
	$(CLIPPY) --workspace --features shop-tests/built --test shop $(DENY)
	@for workspace in $(GUESTS); do \
		echo "guests in $$workspace"; \
		(cd $$workspace && cargo fmt --check && $(CLIPPY) --target $(WASM) $(DENY)) || exit; \
	done

# U1000 reports functions that only the host calls as unused.
go: $(STATICCHECK) ## check and test the Go code
	@command -v go >/dev/null || { echo 'go is missing: see https://go.dev/doc/install' >&2; exit 1; }
	@$(MAKE) --no-print-directory -C $(SHOP) generate
	@for module in $(GO_MODULES); do \
		echo "Go in $$module"; \
		(cd $$module && unformatted=$$(gofmt -l .) && if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted" >&2; exit 1; fi && \
			go vet ./... && GOOS=wasip1 GOARCH=wasm go vet ./...) || exit; \
	done
	@unformatted=$$(gofmt -l tests/interop/go) && if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted" >&2; exit 1; fi
	cd parigot-guest-go && $(STATICCHECK) -checks=all ./... && GOOS=wasip1 GOARCH=wasm $(STATICCHECK) -checks=all,-U1000 ./... && go test -race ./...
	cd docs/samples/go && go test -race ./...

$(STATICCHECK):
	GOBIN=$(@D) go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)

# mdBook exits with 0 after a missing include, so any warning or error in its log fails the build.
docs: $(MDBOOK) ## build the user guide into docs/book; warnings are errors
	@log=$$(MDBOOK_LOG=warn $(MDBOOK) build docs 2>&1) && test -z "$$log" || { echo "$$log" >&2; exit 1; }

$(MDBOOK):
	cargo install --quiet mdbook --version $(MDBOOK_VERSION) --locked --no-default-features --debug --root $(dir $(@D))

bench: setup ## measure the cost of calls and idle guests, after an optimised build
	cargo build --quiet --release --bin parigot --bin bench
	@$(MAKE) --no-print-directory -C $(EXAMPLE) build
	@$(or $(CARGO_TARGET_DIR),target)/release/bench

soak: setup $(NATS_SERVER) fuzz ## run the long tests: SOAK_REQUESTS, SOAK_SECONDS, SOAK_SEEDS and SOAK_SEED set their length
	PARIGOT_SOAK_REQUESTS=$(SOAK_REQUESTS) PARIGOT_SOAK_SEED=$(SOAK_SEED) cargo test --quiet --package protoc-gen-parigot \
		--test plugin -- --nocapture every_request
	PARIGOT_SOAK_SECONDS=$(SOAK_SECONDS) cargo test --quiet --package parigot-abi --test abi -- --nocapture fuzz
	PARIGOT_SEEDS=$(SOAK_SEED)..$$(($(SOAK_SEED) + $(SOAK_SEEDS))) cargo test --quiet --workspace --test e2e -- --nocapture interleavings::
	PARIGOT_SOAK_SECONDS=$(SOAK_SECONDS) cargo test --quiet --workspace --test e2e -- --nocapture streams::no_item streams::streams_that
	PARIGOT_SOAK_SECONDS=$(SOAK_SECONDS) PARIGOT_SOAK_SEED=$(SOAK_SEED) cargo test --quiet --workspace --test measured -- --nocapture \
		budget:: collector:: idle:: overload:: soak:: streams::

# Without a sanitizer, which only a nightly toolchain has. New inputs are kept in the target folder.
fuzz: setup $(CARGO_FUZZ) ## search for inputs that break the readers, SOAK_FUZZ_SECONDS for each target
	@command -v c++ >/dev/null || { echo 'c++ is missing: libFuzzer needs a compiler for C++' >&2; exit 1; }
	@cd fuzz/libfuzzer && for target in $$(ls ../corpus); do \
		echo "fuzzing $$target for $(SOAK_FUZZ_SECONDS) s"; \
		mkdir -p $(FUZZ_TARGET_DIR)/inputs/$$target; \
		CARGO_TARGET_DIR=$(FUZZ_TARGET_DIR) $(CARGO_FUZZ) run --fuzz-dir . --sanitizer none $$target \
			$(FUZZ_TARGET_DIR)/inputs/$$target ../corpus/$$target -- \
			-max_total_time=$(SOAK_FUZZ_SECONDS) -timeout=60 -rss_limit_mb=4096 -max_len=16384 \
			-print_final_stats=1 > $(FUZZ_TARGET_DIR)/$$target.log 2>&1 || \
			{ tail -n 40 $(FUZZ_TARGET_DIR)/$$target.log >&2; exit 1; }; \
	done

$(CARGO_FUZZ):
	cargo install --quiet cargo-fuzz --version $(CARGO_FUZZ_VERSION) --locked --debug --root $(dir $(@D))
