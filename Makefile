# The commands of the project; `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help demo ui test check bench soak

CARGO_FLAGS := --ignore-rust-version --locked

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The dev profile: the interpreter alone takes four times as long to build for
# release, and a demo is over in a second either way.
demo: ## Build and run an example graph over this repository's documents, offline
	@ci/setup.sh rust
	cargo build $(CARGO_FLAGS) --package weaver-server
	@cargo run $(CARGO_FLAGS) --quiet --package weaver-server --bin agentweaver -- demo

ui: ## Build the web Studio, which the next build of the server takes in
	@ci/setup.sh ui
	cd ui && PATH="$(CURDIR)/.node/bin:$$PATH" npm run --silent build

test: ## Run every check, as continuous integration does
	@ci/test.sh

check: ## Run the fast checks: format, tidy, clippy
	@ci/test.sh format tidy clippy

soak: ## Prove the promises at large sizes, for hours, and print what was counted
	@ci/setup.sh
	@ci/soak.sh

bench: ## Measure against LangGraph and print the ratios
	@ci/setup.sh
	cargo build $(CARGO_FLAGS) --release --package weaver-server
	bench/run --python .venv/bin/python
