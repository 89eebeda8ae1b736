# Everything is made from here; `make help` says what.

# Cargo runs in several folders, so a target folder given relative to this one must be spelled out.
ifdef CARGO_TARGET_DIR
export CARGO_TARGET_DIR := $(abspath $(CARGO_TARGET_DIR))
endif

EXAMPLE := examples/helloworld
WASM := wasm32-unknown-unknown
CLIPPY := cargo clippy --quiet
DENY := -- --deny warnings

.NOTPARALLEL:
.PHONY: help setup hello test lint guests bench soak

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## fetch what rustup has and this needs: the wasm target, rustfmt, clippy
	@command -v cargo >/dev/null || { echo 'cargo is missing: install rustup, see https://rustup.rs' >&2; exit 1; }
	@test -d "$$(rustc --print target-libdir --target $(WASM))" || rustup target add $(WASM)
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

hello: setup ## build the example and run it
	@$(MAKE) --no-print-directory -C $(EXAMPLE) run

test: setup lint guests ## run all checks and tests
	cargo test --quiet --workspace
	@$(MAKE) --no-print-directory -C $(EXAMPLE) test
	@command -v go >/dev/null || { echo 'go is missing: see https://go.dev/doc/install' >&2; exit 1; }
	cd tests/abi/go && go vet ./... && go test ./...

lint: setup ## check formatting, lints and documentation
	@$(MAKE) --no-print-directory -C $(EXAMPLE) generate
	cargo fmt --all --check
	cd $(EXAMPLE) && cargo fmt --all --check
	cd tests/guests && cargo fmt --all --check
	$(CLIPPY) --workspace --all-targets $(DENY)
	RUSTDOCFLAGS='--deny warnings' cargo doc --quiet --workspace --no-deps

guests: setup ## compile for wasm what guests are made of, with each feature on and off
	$(CLIPPY) --package parigot-guest --target $(WASM) $(DENY)
	$(CLIPPY) --package parigot-guest --target $(WASM) --no-default-features $(DENY)
	$(CLIPPY) --package parigot-guest --target $(WASM) --no-default-features --features rt $(DENY)
	$(CLIPPY) --package parigot-guest --target $(WASM) --features rt $(DENY)
	cd $(EXAMPLE) && $(CLIPPY) --target $(WASM) $(DENY)
	cd tests/guests && $(CLIPPY) --target $(WASM) $(DENY)
