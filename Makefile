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
UNITS    := $(patsubst tests/unit/%.c,$O/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS  := $(patsubst tests/fuzz/%.c,$O/fuzz/%,$(filter-out tests/fuzz/driver.c,$(wildcard tests/fuzz/*.c)))
BENCHES  := $(patsubst tests/bench/%.c,$O/bench/%,$(wildcard tests/bench/*.c))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all unit dumbfs help clean

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

unit: $(UNITS) ## build and run the unit tests
	@for t in $(UNITS); do $$t || exit 1; done

dumbfs: $O/dumbfs ## build the file system that allows no more than the contract (libfuse3)

$O/dumbfs: tests/dumbfs/dumbfs.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $$($(PKG_CONFIG) --cflags fuse3) -o $@ $< \
		$$($(PKG_CONFIG) --libs fuse3) -pthread $(SANFLAGS)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1: \2/p' Makefile

clean: ## remove what was built
	rm -rf build

-include $(shell find build/$(MODE) -name '*.d' 2>/dev/null)
