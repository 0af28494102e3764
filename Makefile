# ringcast. One makefile for the whole tree; every path is relative, so a checkout may live anywhere.
#
#   make run      packages, build, a server with an embedded default, and what to try next
#   make test     everything, one closing line "N passed, N failed"
#   FLAVOUR=      release (default), asan (+ubsan), tsan, cover: a build tree each under build/
#   CC=clang      builds into build/FLAVOUR-clang

FLAVOUR ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
OUT ?= build/$(FLAVOUR)$(if $(findstring clang,$(CC)),-clang)

prefix ?= /usr/local
bindir ?= $(prefix)/bin
libexecdir ?= $(prefix)/libexec/ringcast

# ---- flags -------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 -Wconversion \
	-Wno-sign-conversion -Wimplicit-fallthrough
FLAGS_release := -O2 -D_FORTIFY_SOURCE=2
FLAGS_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DSANITIZED=1
FLAGS_tsan := -O1 -fsanitize=thread -DSANITIZED=1
FLAGS_cover := -O0 --coverage -DSANITIZED=1
ifeq ($(FLAGS_$(FLAVOUR)),)
$(error FLAVOUR=$(FLAVOUR) is none of release, asan, tsan, cover)
endif
BASE_CFLAGS := -std=c17 -D_GNU_SOURCE -I. -g -fPIE -fstack-protector-strong $(WARN) $(FLAGS_$(FLAVOUR))
BASE_LDFLAGS := -pie -Wl,-z,relro,-z,now $(filter -fsanitize=% --coverage,$(FLAGS_$(FLAVOUR)))
# V=1 shows whole commands.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@;)
COMPILE = $(call say,CC)$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP
LINK = $(call say,LD)$(CC) $(BASE_LDFLAGS) $(LDFLAGS)

# ---- what is built of what ---------------------------------------------------------------------

objects = $(patsubst %.c,$(OUT)/%.o,$(1))
PROTO := $(wildcard proto/*.c)
SHM := $(wildcard shm/*.c)
WORKER := $(filter-out worker/main.c,$(wildcard worker/*.c))
MASTER := $(filter-out master/main.c,$(wildcard master/*.c))
CTL := $(filter-out master/ctl/main.c,$(wildcard master/ctl/*.c))
LEAVES := $(OUT)/libproto.a $(OUT)/libshm.a
WORKER_LIBS := $(OUT)/libworker.a $(LEAVES)
MASTER_LIBS := $(OUT)/libctl.a $(OUT)/libmaster.a $(LEAVES)
PROGRAMS := $(OUT)/ringcastd $(OUT)/ringcast-worker $(OUT)/ringcast

# A unit test sees what its folder is named for: tests/unit/worker/foo_test.c links the worker's library.
UNIT_proto := $(wildcard tests/unit/proto/*_test.c)
UNIT_shm := $(wildcard tests/unit/shm/*_test.c)
UNIT_worker := $(wildcard tests/unit/worker/*_test.c)
UNIT_master := $(wildcard tests/unit/master/*_test.c)
unit_bins = $(patsubst %.c,$(OUT)/%,$(UNIT_$(1)))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all
all: $(PROGRAMS)

$(OUT)/libproto.a: $(call objects,$(PROTO))
$(OUT)/libshm.a: $(call objects,$(SHM))
$(OUT)/libworker.a: $(call objects,$(WORKER)) $(OUT)/worker/console_page.o
$(OUT)/libmaster.a: $(call objects,$(MASTER))
$(OUT)/libctl.a: $(call objects,$(CTL))
$(OUT)/lib%.a:
	@rm -f $@
	@ar rcs $@ $^

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(OUT)/ringcastd: $(OUT)/master/main.o $(OUT)/libmaster.a $(LEAVES)
	$(LINK) -o $@ $^ -ljansson
$(OUT)/ringcast-worker: $(OUT)/worker/main.o $(WORKER_LIBS)
	$(LINK) -o $@ $^ -luring
$(OUT)/ringcast: $(OUT)/master/ctl/main.o $(MASTER_LIBS)
	$(LINK) -o $@ $^ -ljansson

# The console page becomes an array of bytes; od is in every base system, xxd is not.
$(OUT)/worker/console_page.c: worker/console.html
	@mkdir -p $(@D)
	@{ echo '#include "worker/console.h"'; echo 'const unsigned char console_page[] = {'; \
	   od -An -v -tu1 $< | sed 's/  */,/g; s/^,//; s/$$/,/'; \
	   echo '};'; echo 'const size_t console_page_len = sizeof console_page;'; } > $@
$(OUT)/worker/console_page.o: $(OUT)/worker/console_page.c
	$(COMPILE) -c -o $@ $<

TEST_LIBS_proto := $(LEAVES)
TEST_LIBS_shm := $(LEAVES)
TEST_LIBS_worker := $(WORKER_LIBS)
TEST_LIBS_master := $(MASTER_LIBS)
define unit_rule
$$(OUT)/tests/unit/$(1)/%_test: $$(OUT)/tests/unit/$(1)/%_test.o $$(TEST_LIBS_$(1))
	$$(LINK) -o $$@ $$^ -lcmocka -luring -ljansson -lpthread
endef
$(foreach part,proto shm worker master,$(eval $(call unit_rule,$(part))))
.PRECIOUS: $(OUT)/%.o

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

# ---- end to end and benchmarks -----------------------------------------------------------------

TESTLIB := $(wildcard tests/lib/*.c)
E2E := $(patsubst %.c,$(OUT)/%,$(wildcard tests/e2e/*.c))
BENCH := $(patsubst %.c,$(OUT)/%,$(filter-out tests/bench/%_bench.c,$(wildcard tests/bench/*.c)))

$(OUT)/libtest.a: $(call objects,$(TESTLIB))
$(OUT)/tests/e2e/%: $(OUT)/tests/e2e/%.o $(OUT)/libtest.a
	$(LINK) -o $@ $^
$(BENCH): $(OUT)/tests/bench/%: $(OUT)/tests/bench/%.o $(OUT)/libtest.a
	$(LINK) -o $@ $^ -luring

# E2E_SCALE=0.1 makes them shorter, for sanitizer builds.
.PHONY: e2e bench
e2e: $(PROGRAMS) $(E2E)
	@failed=; for t in $(E2E); do echo "# $$t"; RINGCAST_BIN='$(OUT)' "$$t" || failed="$$failed $$t"; done; \
	   test -z "$$failed" || { echo "# failed:$$failed"; exit 1; }
bench: $(PROGRAMS) $(BENCH)
	@RINGCAST_BIN='$(OUT)' sh tests/bench/run.sh

# ---- the container's seccomp profile, without a container ----------------------------------------

SECCOMP_RUN := $(OUT)/tests/systemd/seccomp_run
$(OUT)/tests/systemd/syscalls.inc:
	@mkdir -p $(@D)
	@echo '#include <asm/unistd.h>' | $(CC) -E -dM - | \
	   sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/{"\1", __NR_\1},/p' | sort > $@
$(OUT)/tests/systemd/seccomp_run.o: CPPFLAGS += -I$(OUT)
$(OUT)/tests/systemd/seccomp_run.o: $(OUT)/tests/systemd/syscalls.inc
$(SECCOMP_RUN): $(OUT)/tests/systemd/seccomp_run.o
	$(LINK) -o $@ $^ -ljansson
.PHONY: seccomp
seccomp: $(SECCOMP_RUN) $(patsubst %,$(OUT)/tests/unit/worker/%_test,io uring uring_pressure probe)
	@tests/systemd/seccomp_test.sh '$(OUT)'

# ---- how much the publish socket takes ------------------------------------------------------------

$(OUT)/tests/bench/publish_bench: $(OUT)/tests/bench/publish_bench.o $(OUT)/libmaster.a $(LEAVES)
	$(LINK) -o $@ $^ -ljansson
