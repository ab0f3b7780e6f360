# bale. `make help` lists the targets.
#
# Objects go to build/<mode>/; everything is linked from one static library per mode.

PREFIX  ?= /usr/local
CC      ?= cc
CFLAGS  ?= -O2 -g
SAN     ?=
WERROR  ?=
JOBS    ?= $(shell nproc)

PKG_CONFIG ?= pkg-config
LIBS       := libzstd libb2 jansson libsodium
CMOCKA_CFLAGS ?= $(shell $(PKG_CONFIG) --cflags cmocka 2>/dev/null)
CMOCKA_LIBS   ?= $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)
FUSE_CFLAGS ?= $(shell $(PKG_CONFIG) --cflags fuse3 2>/dev/null)
FUSE_LIBS   ?= $(shell $(PKG_CONFIG) --libs fuse3 2>/dev/null)
LIB_CFLAGS ?= $(shell $(PKG_CONFIG) --cflags $(LIBS) 2>/dev/null)
LIB_LIBS   ?= $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null)

MODE := $(if $(SAN),$(SAN),plain)$(if $(filter clang%,$(notdir $(CC))),-clang)
O    := build/$(MODE)

WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wundef -Wpointer-arith $(if $(WERROR),-Werror)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -Isrc -MMD -MP -pthread \
	$(WARN) $(LIB_CFLAGS) $(CFLAGS) $(SANFLAGS)
ALL_LIBS := $(LDFLAGS) $(LIB_LIBS) -pthread $(SANFLAGS)

LIB_SRC  := $(wildcard format/*.c src/*/*.c)
LIB_SRC  := $(filter-out src/cli/main.c,$(LIB_SRC))
LIB_OBJ  := $(LIB_SRC:%.c=$O/%.o)
SUP_OBJ  := $(patsubst %.c,$O/%.o,$(wildcard tests/support/*.c))
DUMBFS_OBJ := $(patsubst %.c,$O/%.o,$(wildcard tests/dumbfs/*.c))
UNITS    := $(patsubst tests/unit/%.c,$O/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS  := $(patsubst tests/fuzz/%.c,$O/fuzz/%,$(filter-out tests/fuzz/driver.c,$(wildcard tests/fuzz/*.c)))
BENCHES  := $(patsubst tests/bench/%.c,$O/bench/%,$(wildcard tests/bench/*.c))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all unit mutant dumbfs help clean deps check check-static check-unit check-fuzz check-dumbfs check-clang \
	check-asan check-tsan check-model check-mutants torture-model demo bench bench-increments bench-flips bench-generations \
	bench-chunks bench-deltas fuzz install bench-kill bench-identical torture

all: $O/bale ## build the program (the default)

$O/bale: $O/src/cli/main.o $O/libbale.a
	$(CC) -o $@ $^ $(ALL_LIBS)

$O/libbale.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$O/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$O/tests/unit/%.o: ALL_CFLAGS += $(CMOCKA_CFLAGS)

$O/unit/%: $O/tests/unit/%.o $(SUP_OBJ) $O/libbale.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(CMOCKA_LIBS) $(ALL_LIBS)

$O/fuzz/%: $O/tests/fuzz/%.o $O/tests/fuzz/driver.o $(SUP_OBJ) $O/libbale.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(ALL_LIBS)

$O/bench/%: $O/tests/bench/%.o $(SUP_OBJ) $O/libbale.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(ALL_LIBS)

# The interleaving tests with one fault built into the engines (src/base/mutant.h).
MUTANT  ?= 0
M       := $O/mutant-$(MUTANT)
MUT_OBJ := $(patsubst %.c,$M/%.o,$(shell grep -l '"base/mutant.h"' src/*/*.c))

$M/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DBALE_MUTANT=$(MUTANT) -c -o $@ $<

$M/test_%: $O/tests/unit/test_%.o $(MUT_OBJ) $(SUP_OBJ) $O/libbale.a
	$(CC) -o $@ $^ $(CMOCKA_LIBS) $(ALL_LIBS)

mutant: $M/test_interleave $M/test_schedules $M/test_vacuum_strict

unit: $(UNITS) ## build and run the unit tests
	@for t in $(UNITS); do $$t || exit 1; done

dumbfs: $O/dumbfs ## build the file system that allows no more than the contract (libfuse3)

$O/tests/dumbfs/%.o: ALL_CFLAGS += $(FUSE_CFLAGS)

$O/dumbfs: $(DUMBFS_OBJ)
	$(CC) -o $@ $(DUMBFS_OBJ) $(FUSE_LIBS) -pthread $(SANFLAGS)

$O/inject.so: tests/inject/inject.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -MMD -MP -pthread $(WARN) $(CFLAGS) -fno-builtin \
		-fPIC -shared -o $@ $< -ldl

$O/points: $O/tests/inject/points.o $O/libbale.a
	$(CC) -o $@ $^ $(ALL_LIBS)

# --- checks. Each tests/unit program speaks TAP, and so do tests/cli.

SUBMAKE := $(MAKE) --no-print-directory -s
PROVE  := prove -j$(JOBS) --merge --timer --failures
# Tests of the command line wait, for mounts and clocks, more than they work.
WAITERS = prove -j$(shell expr 2 '*' $(JOBS)) --merge --timer --failures
TAP    := CMOCKA_MESSAGE_OUTPUT=TAP

check: ## install what is missing, build, and run all tests (under 15 minutes on 2 cores)
	@tests/deps.sh check
	@$(SUBMAKE) -j$(JOBS) WERROR=1 all unit-programs dumbfs $O/inject.so
	@$(SUBMAKE) WERROR=1 check-static check-unit check-fuzz check-cli check-dumbfs
	@$(SUBMAKE) check-clang check-asan check-tsan check-model
	@MUTANTS="1 2 4 5 7" SEEDS=50 QUICK=1 $(SUBMAKE) check-mutants
	@echo "make check: all passed"

check-static: ## layers, sizes of files and lines, completeness of format/
	@tests/layers.sh
	@tests/formats.sh

check-unit: $(UNITS) ## the unit tests
	@$(TAP) $(PROVE) --exec '' $(UNITS)

check-fuzz: $(FUZZERS) ## every fuzz target over its vectors, their truncations and mutations
	@for f in $(FUZZERS); do x=$$(basename $$f); printf 'fuzz %s: ' $$x; $$f testdata/vectors/$$x || exit 1; done

check-cli: $O/bale $O/inject.so dumbfs ## the command line, on dumbfs and on real mounts too
	@BALE=$(abspath $O/bale) $(WAITERS) tests/cli

# Not those that keep a repository on a file system of their own, or only look at the program.
ON_DUMBFS := $(filter-out %/t00-basics.t %/t48-full.t %/t49-nightly.t %/t65-inject.t,\
	$(wildcard tests/cli/t[0-6]*.t))

check-dumbfs: $O/bale dumbfs ## the same, with the repositories on dumbfs: no breach of the contract
	@if [ -c /dev/fuse ]; then BALE_TEST_ON=dumbfs BALE=$(abspath $O/bale) $(WAITERS) $(ON_DUMBFS); \
	else echo "SKIPPED: no /dev/fuse"; fi

check-clang: ## clang compiles everything without a warning
	@if command -v clang-14 >/dev/null; then $(SUBMAKE) -j$(JOBS) CC=clang-14 WERROR=1 all unit-programs; \
	else echo "SKIPPED: clang-14 is not installed"; fi

check-asan: ## unit tests and vectors under AddressSanitizer and UBSan
	@$(SUBMAKE) -j$(JOBS) SAN=address,undefined WERROR=1 unit-programs
	@BALE_TEST_STRIDE=4999 $(SUBMAKE) SAN=address,undefined WERROR=1 check-unit check-fuzz

check-tsan: ## what uses threads, under ThreadSanitizer
	@$(SUBMAKE) -j$(JOBS) SAN=thread WERROR=1 unit-threads
	@BALE_TEST_STRIDE=9973 $(SUBMAKE) SAN=thread WERROR=1 check-unit-threads

THREADED := $(wildcard $(addprefix tests/unit/test_,base.c store_mem.c store_dir.c walk.c target.c \
	compress.c bundle_read.c deltas.c pack.c determinism.c restore.c validate.c json_cache.c vacuum_abort.c))
unit-threads: $(THREADED:tests/unit/%.c=$O/unit/%)

check-unit-threads: $(THREADED:tests/unit/%.c=$O/unit/%)
	@$(TAP) $(PROVE) --exec '' $^

check-mutants: ## the tests of interleavings notice each fault of the protocol (within SEEDS seeds)
	@O=$O tests/mutants.sh

check-model: ## search the models of lock-free deletion, and their mutants (spin)
	@JOBS=$(JOBS) tests/model/run.sh

torture-model: ## the large searches: 2 backups against 2 vacuums
	@JOBS=1 tests/model/run.sh --long

unit-programs: $(UNITS) $(FUZZERS)

demo: ## install what is missing, build, and show a backup of a real tree and its verified restore
	@tests/deps.sh build
	@$(SUBMAKE) -j$(JOBS) all
	@BALE=$(abspath $O/bale) tests/demo.sh

fuzz: ## each fuzz target under libFuzzer for FUZZ_SECONDS (60)
	@mkdir -p build/fuzz
	@for x in $(notdir $(FUZZERS)); do \
		clang-14 -g -O1 -std=gnu11 -D_GNU_SOURCE -I. -Isrc -pthread $(LIB_CFLAGS) \
			-fsanitize=fuzzer,address,undefined -o build/fuzz/$$x tests/fuzz/$$x.c tests/support/*.c \
			$(LIB_SRC) $(LIB_LIBS) -lm && mkdir -p build/fuzz/corpus/$$x && \
		build/fuzz/$$x -max_total_time=$(or $(FUZZ_SECONDS),60) -rss_limit_mb=1024 \
			build/fuzz/corpus/$$x || exit 1; done

bench: all $(BENCHES) ## bale beside the floor and restic on TREE (/usr/include): time, memory, size
	@BUILD=$O tests/bench/peers.sh $(or $(TREE),/usr/include) $(or $(ROUNDS),3)

bench-kill: all ## kill -9 at 20 random moments (ROUNDS) of a first backup of TREE (/usr/share)
	@BUILD=$O tests/bench/kill.sh $(or $(TREE),/usr/share) $(or $(ROUNDS),20)

bench-identical: all ## restores of TREES and of a special tree, compared by rsync and getfattr (root)
	@BUILD=$O tests/bench/identical.sh $(or $(TREES),/usr/include)

TORTURED := $(addprefix $O/unit/test_,crash crash_commands crash_unsettled crash_vacuum determinism \
	interleave schedules vacuum_unsettled)
torture: $O/bale $O/inject.so $O/points $(TORTURED) ## crashes of recoveries, every STRIDEth (1) call and allocation failing, and more
	@BALE_TORTURE=1 $O/unit/test_crash
	@BALE_TORTURE=1 $O/unit/test_crash_commands
	@BALE_TORTURE=1 $O/unit/test_crash_unsettled
	@BALE_TORTURE=1 $O/unit/test_vacuum_unsettled
	@BALE_TEST_STRIDE=1 $O/unit/test_crash_vacuum
	@BALE_TORTURE=$(or $(STRIDE),1) BALE=$(abspath $O/bale) tests/cli/t65-inject.t
	@BALE_TORTURE=1 BALE=$(abspath $O/bale) $(PROVE) tests/cli/t7[1-4]-*.t
	@for i in 1 2 3 4 5 6 7 8 9 10; do $O/unit/test_determinism || exit 1; done
	@BALE_SEEDS=$(or $(SEEDS),100000) $O/unit/test_interleave
	@BALE_TORTURE=1 $O/unit/test_schedules
	@$(SUBMAKE) check-mutants

bench-remote: all dumbfs $O/bench/grown ## trips, bytes and time at 0, 20 and 100 ms, into docs/remote.md
	@BUILD=$O tests/bench/remote.sh $(TREE) >build/remote.figures
	@tests/bench/figures.sh docs/remote.md build/remote.figures

bench-increments: all ## what small changes to TREE cost in files and bytes
	@BUILD=$O tests/bench/increments.sh $(or $(TREE),/usr/include)

bench-generations: all $(BENCHES) ## GENERATIONS (60) of TREE (/usr/share/doc), pruned, vacuumed at every threshold
	@BUILD=$O tests/bench/generations.sh $(or $(TREE),/usr/share/doc) $(or $(GENERATIONS),60)

bench-deltas: all ## deltas and the cost of a cold start after RUNS (2000) small backups
	@BUILD=$O tests/bench/deltas.sh $(or $(RUNS),2000)

bench-chunks: all $(BENCHES) ## what analysis costs in a repository of CHUNKS (20000000)
	@BUILD=$O tests/bench/chunks.sh $(or $(CHUNKS),20000000)

bench-flips: all ## flipped bits in every kind of file: found, named, never restored (FLIPS each)
	@BUILD=$O tests/bench/flips.sh $(or $(TREE),/usr/include/linux) $(or $(FLIPS),20)

install: $O/bale ## install program and manual page (DESTDIR, PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $O/bale $(DESTDIR)$(PREFIX)/bin/bale
	install -m 644 docs/bale.1 $(DESTDIR)$(PREFIX)/share/man/man1/bale.1

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1: \2/p' Makefile

clean: ## remove what was built
	rm -rf build

-include $(shell find build/$(MODE) -name '*.d' 2>/dev/null)
