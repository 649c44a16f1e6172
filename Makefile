# SPDX-License-Identifier: GPL-2.0
# The swap abstraction for Linux 7.3: a patch series and the tools around it.
# "make help" lists what there is; the work is done by scripts/.

CONFIG ?= base
export CONFIG FORCE UPDATE LINUX ONLY SKIP JOBS SIGNOFF

.PHONY: help deps source tree refresh series build run shell check check-quick \
	lint soak bench clean distclean

help: ## this list
	@echo 'The swap abstraction for Linux 7.3. On a fresh Debian 12, as root:'
	@echo '  make run       see it work      make check     run every test'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1 \2/p' $(MAKEFILE_LIST) | \
		awk '{ n = $$1; $$1 = ""; printf "  make %-12s%s\n", n, $$0 }'
	@echo
	@echo 'Variables:'
	@echo '  LINUX=PATH     a kernel tree or tarball of 7.3 in place of Debian'\''s package'
	@echo '  UPDATE=1       ask the mirror for a newer 7.3.x (source, tree)'
	@echo '  FORCE=1        tree: throw away what was not brought back with refresh'
	@echo '  CONFIG=NAME    build: $(shell awk '!/^\#/ && $$2 != "arm64" { printf "%s ", $$1 }' configs/variants)'
	@echo '  ONLY=STAGE,..  check: only these of scripts/check.d; SKIP=STAGE,.. all but these;'
	@echo '                 bench: only these of its benches; ALL=1 more, BOOTS=N'
	@echo '  JOBS=N         parallel compiles; SWAP_ABS_CACHE=DIR download and compiler cache'

deps: ## install the Debian packages that are missing
	@scripts/deps

source: deps ## fetch and verify the kernel source
	@scripts/source

tree: deps ## assemble build/linux: the kernel with the series, as a git repository
	@scripts/tree

refresh: ## bring the commits of build/linux back into patches/ and the added files
	@scripts/refresh

series: tree ## export the mails, a directory a part: SIGNOFF='Name <mail>'
	@scripts/series

build: tree ## build a kernel, CONFIG=base, debug, uml, ...
	@scripts/build $(CONFIG)

run: ## show the layer at work: everything from nothing to a booted guest
	@scripts/run

shell: ## an interactive guest of the same kind
	@scripts/run --shell

check: deps ## build what is needed and run every test
	@scripts/check

check-quick: deps ## what to run while developing: the lints and User Mode Linux
	@scripts/check --quick

lint: deps ## only the lints
	@ONLY=shellcheck,series,checkpatch,kernel-doc scripts/check

soak: deps ## everything that moves pages at once, MINUTES=30, KERNEL=uml-debug
	@scripts/soak $(or $(MINUTES),30) $(or $(KERNEL),uml-debug)

bench: deps ## what the layer costs, against unmodified 7.3: a table, JSON, pictures
	@scripts/bench

clean: ## remove kernels, guests and logs; keeps build/linux
	@scripts/clean

distclean: ## remove build/ whole (the cache stays)
	@scripts/clean --all
