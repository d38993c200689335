# The commands of a checkout. `make help` lists them; ARGS are handed on: make demo ARGS="--rooms 3 --keep"

# npm writes this file at the very end of an installation: it is the stamp.
packages := node_modules/.package-lock.json
run_tests := node --import tsx test/support/run-tests.ts

.DEFAULT_GOAL := help
.PHONY: help demo dev check test bench

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo    six rooms recorded at the same moment by a fleet that had no worker; every file is checked
demo: $(packages)
	@bin/reelkit demo $(ARGS)

## make dev     the same stack kept running, with the commands to try
dev: $(packages)
	@bin/reelkit dev $(ARGS)

## make check   types, lint, dependency rules, unused code, unit tests (less than a minute)
check: $(packages)
	@$(run_tests) check

## make test    everything: check, workflows, contract, end to end, Go
test: $(packages)
	@$(run_tests) all

## make bench   the benchmark table, also written to bench/results.json
bench: $(packages)
	@node --import tsx bench/run.ts $(ARGS)

$(packages): package-lock.json
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); if (a < 20 || (a === 20 && b < 19)) { console.error("Reelkit needs Node.js 20.19 or newer; this is " + process.version); process.exit(1) }' \
		|| { echo "install Node.js 20.19 or newer (https://nodejs.org) and try again" >&2; exit 1; }
	npm ci --no-progress --loglevel=error
	@touch $@
