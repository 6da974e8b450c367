# `make demo` to try Rolegate, `make test` to check it; both install what this machine lacks (scripts/setup.sh says what, and why).
.DEFAULT_GOAL := help
.PHONY: help demo test lint client package book bench bench-peers faults screenshots clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## Build and start everything on loopback: gateway, sandbox identity provider, sandbox AWS
	@scripts/setup.sh demo
	cargo run --locked -- demo

test: ## All tests, against real counterparts: an identity provider, Redis, moto's AWS, a browser, the AWS CLI
	@scripts/setup.sh test
	cargo test --locked --features otlp --no-fail-fast

lint: ## Formatting, clippy, documentation, and cargo-deny where it is installed
	@scripts/setup.sh demo
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	@if command -v cargo-deny > /dev/null; then set -x; cargo deny --locked check bans licenses sources; \
	else echo 'lint: cargo-deny is not installed (cargo install --locked cargo-deny): deny.toml is not checked'; fi

client: ## The client alone, checked and built: target/client/client/rolegate
	@scripts/setup.sh demo
	cargo clippy --locked --no-default-features --features client --target-dir target/client -- -D warnings
	cargo build --profile client --locked --no-default-features --features client --target-dir target/client

package: ## The Debian package and the Helm chart, made and checked: target/packages
	@scripts/setup.sh packages
	scripts/packages.sh chart
	scripts/packages.sh deb

book: ## The documentation as a book: target/book
	@scripts/setup.sh demo
	cargo install --quiet --locked --root target/packages --version 0.5.4 mdbook
	target/packages/bin/mdbook build

bench: ## Measure what docs/performance.md states
	@scripts/setup.sh test
	cargo bench --locked
	cargo build --release --locked
	scripts/measure.py
	scripts/measure_many_roles.py
	scripts/measure_issuing.py
	scripts/measure_rules.py
	target/counterparts/venv/bin/python3 scripts/measure_saml.py
	$(MAKE) client
	scripts/measure_client.py

faults: ## Break what docs/reliability.md says may break, and measure what people see of it (some twenty minutes)
	@scripts/setup.sh faults
	cargo build --release --locked
	scripts/faults/redis_killed.py
	scripts/faults/taken_over.py
	scripts/faults/rolling_restart.py
	scripts/faults/keys_rotated.py
	scripts/faults/replayed.py
	scripts/faults/gateway_killed.py
	scripts/faults/overload.py
	scripts/faults/soak.py
	scripts/faults/recorded.py
	scripts/faults/sinks.py

bench-peers: ## Measure beside others: rules beside Cedar and Rego, sign-ins beside mod_auth_mellon, mod_shib, mod_auth_openidc (40 minutes)
	@scripts/setup.sh peers
	cargo run --release --manifest-path benches/peers/rules/Cargo.toml --target-dir target/peers -- --bench
	cargo build --release --locked
	target/counterparts/venv/bin/python3 benches/peers/sign_in/measure.py
	target/counterparts/venv/bin/python3 benches/peers/sign_in/many.py

screenshots: ## Pictures of every page, both colour schemes, three widths: target/screenshots
	@scripts/setup.sh test
	SCREENSHOTS='$(CURDIR)/target/screenshots' cargo test --locked --test browser memory

clean: ## Remove all that was built and all counterparts; packages of the system stay
	cargo clean
	rm -f tests/node_modules
