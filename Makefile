# ringcast. One makefile for the whole tree. Every path is relative, so a checkout may live anywhere; `make help` lists
# what there is to ask for.

FLAVOUR ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(FLAVOUR),fuzz)
CC := clang
endif
OUT ?= build/$(FLAVOUR)$(if $(filter-out fuzz,$(FLAVOUR)),$(if $(findstring clang,$(CC)),-clang))

prefix ?= /usr/local
bindir ?= $(prefix)/bin
libexecdir ?= $(prefix)/libexec
datadir ?= $(prefix)/share
unitdir ?= $(prefix)/lib/systemd/system
sysconfdir ?= /etc

# ---- flags -------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 -Wconversion \
	-Wno-sign-conversion -Wimplicit-fallthrough
FLAGS_release := -O2 -D_FORTIFY_SOURCE=2
FLAGS_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-DSANITIZED=1
FLAGS_tsan := -O1 -fsanitize=thread -DSANITIZED=1
FLAGS_cover := -O0 --coverage -fprofile-update=atomic -DSANITIZED=1
FLAGS_fuzz := $(FLAGS_asan) -fsanitize=fuzzer-no-link
ifeq ($(FLAGS_$(FLAVOUR)),)
$(error FLAVOUR=$(FLAVOUR) is none of release, asan, tsan, cover, fuzz)
endif
BASE_CFLAGS := -std=c17 -D_GNU_SOURCE -I. -g -fPIE -fstack-protector-strong $(WARN) $(FLAGS_$(FLAVOUR))
BASE_LDFLAGS := -pie -Wl,-z,relro,-z,now $(filter -fsanitize=% --coverage,$(FLAGS_$(FLAVOUR)))
# V=1 shows whole commands.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@;)
COMPILE = $(call say,CC)$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP
LINK = $(call say,LD)$(CC) $(BASE_LDFLAGS) $(LDFLAGS)

# ---- what is built of what ---------------------------------------------------------------------

objects = $(patsubst %.c,$(OUT)/%.o,$(1))
binaries = $(patsubst %.c,$(OUT)/%,$(1))
PROTO := $(wildcard proto/*.c)
SHM := $(wildcard shm/*.c)
WORKER := $(filter-out worker/main.c,$(wildcard worker/*.c))
MASTER := $(filter-out master/main.c,$(wildcard master/*.c))
CTL := $(filter-out master/ctl/main.c,$(wildcard master/ctl/*.c))
LEAVES := $(OUT)/libproto.a $(OUT)/libshm.a
WORKER_LIBS := $(OUT)/libworker.a $(LEAVES)
MASTER_LIBS := $(OUT)/libctl.a $(OUT)/libmaster.a $(LEAVES)
PROGRAMS := $(OUT)/ringcastd $(OUT)/ringcast-worker $(OUT)/ringcast

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
	$(LINK) -o $@ $^ -luring -lz
$(OUT)/ringcast: $(OUT)/master/ctl/main.o $(MASTER_LIBS)
	$(LINK) -o $@ $^ -ljansson -lm

# The console page becomes an array of bytes; od is in every base system, xxd is not.
$(OUT)/worker/console_page.c: worker/console.html
	@mkdir -p $(@D)
	@{ echo '#include "worker/console.h"'; echo 'const unsigned char console_page[] = {'; \
	   od -An -v -tu1 $< | sed 's/  */,/g; s/^,//; s/$$/,/'; \
	   echo '};'; echo 'const size_t console_page_len = sizeof console_page;'; } > $@
$(OUT)/worker/console_page.o: $(OUT)/worker/console_page.c
	$(COMPILE) -c -o $@ $<

# ---- test programs -----------------------------------------------------------------------------

# A unit test sees what its folder is named for: tests/unit/worker/foo_test.c links the worker's library.
UNIT := $(call binaries,$(wildcard tests/unit/*/*_test.c))
UNIT_LIBS_proto := $(LEAVES)
UNIT_LIBS_shm := $(LEAVES)
UNIT_LIBS_worker := $(WORKER_LIBS)
UNIT_LIBS_master := $(MASTER_LIBS)
define unit_rule
$$(OUT)/tests/unit/$(1)/%_test: $$(OUT)/tests/unit/$(1)/%_test.o $$(UNIT_LIBS_$(1))
	$$(LINK) -o $$@ $$^ -lcmocka -luring -ljansson -lz -lm -lpthread
endef
$(foreach part,proto shm worker master,$(eval $(call unit_rule,$(part))))
# Refuses memory, at every place in turn.
$(OUT)/tests/unit/worker/memory_test: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
# The same for what epoll's backend asks for.
$(OUT)/tests/unit/worker/epoll_test: LDFLAGS += \
	-Wl,--wrap=epoll_ctl,--wrap=epoll_pwait,--wrap=realloc,--wrap=mremap,--wrap=mmap

# ring_adopt stops the writer at each of its stores, so it has a copy of shm that calls it there.
STRESS := $(call binaries,$(wildcard tests/stress/*.c))
MODEL := $(call binaries,$(wildcard tests/model/*.c))
SEAM := $(patsubst %.c,$(OUT)/seam/%.o,$(SHM))
$(OUT)/seam/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -include tests/stress/seam.h -c -o $@ $<
$(OUT)/tests/stress/ring_adopt: $(OUT)/tests/stress/ring_adopt.o $(SEAM) $(OUT)/libproto.a
	$(LINK) -o $@ $^
$(OUT)/tests/stress/%: $(OUT)/tests/stress/%.o $(LEAVES)
	$(LINK) -o $@ $^ -lpthread
$(OUT)/tests/model/%: $(OUT)/tests/model/%.o $(LEAVES)
	$(LINK) -o $@ $^ -lpthread

# A fuzz target without libFuzzer replays its corpus: so the corpora are regression tests of every build. It sees proto/ and
# shm/; what else one sees is named here.
FUZZ := $(call binaries,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_DRIVER := $(if $(filter fuzz,$(FLAVOUR)),-fsanitize=fuzzer,$(OUT)/tests/fuzz/replay.o)
FUZZ_LIBS_worker := $(OUT)/tests/fuzz/worker_judge.o $(WORKER_LIBS)
FUZZ_LIBS_deflate := $(WORKER_LIBS)
FUZZ_LIBS_config := $(MASTER_LIBS)
FUZZ_LIBS_publish := $(MASTER_LIBS)
define fuzz_rule
$$(OUT)/tests/fuzz/$(1)_fuzz: $$(OUT)/tests/fuzz/$(1)_fuzz.o $$(or $$(FUZZ_LIBS_$(1)),$$(LEAVES)) $$(filter %.o,$$(FUZZ_DRIVER))
	$$(LINK) -o $$@ $$^ $$(filter -%,$$(FUZZ_DRIVER)) -lcmocka -luring -ljansson -lz
endef
$(foreach target,$(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c)),$(eval $(call fuzz_rule,$(target))))

# End to end and benchmarks boot the real programs of this build.
E2E := $(call binaries,$(wildcard tests/e2e/*.c))
CONFORMANCE := $(call binaries,$(wildcard tests/conformance/*.c))
BENCH := $(call binaries,$(wildcard tests/bench/*.c))
$(OUT)/libtest.a: $(call objects,$(wildcard tests/lib/*.c))
$(OUT)/tests/e2e/%: $(OUT)/tests/e2e/%.o $(OUT)/libtest.a
	$(LINK) -o $@ $^
$(OUT)/tests/conformance/%: $(OUT)/tests/conformance/%.o $(OUT)/libtest.a
	$(LINK) -o $@ $^ -lz
$(OUT)/tests/bench/ring_bench: $(OUT)/tests/bench/ring_bench.o $(LEAVES)
	$(LINK) -o $@ $^
$(OUT)/tests/bench/publish_bench: $(OUT)/tests/bench/publish_bench.o $(OUT)/libmaster.a $(LEAVES)
	$(LINK) -o $@ $^ -ljansson
$(OUT)/tests/bench/turn_bench: $(OUT)/tests/bench/turn_bench.o $(WORKER_LIBS)
	$(LINK) -o $@ $^ -luring -lz
$(OUT)/tests/bench/squeeze: $(OUT)/tests/bench/squeeze.o $(OUT)/libtest.a
	$(LINK) -o $@ $^ -lz
$(OUT)/tests/bench/%: $(OUT)/tests/bench/%.o $(OUT)/libtest.a
	$(LINK) -o $@ $^ -luring

# The container's seccomp profile, put round programs without a container.
SECCOMP_RUN := $(OUT)/tests/systemd/seccomp_run
$(OUT)/tests/systemd/syscalls.inc:
	@mkdir -p $(@D)
	@echo '#include <asm/unistd.h>' | $(CC) -E -dM - | \
	   sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/{"\1", __NR_\1},/p' | sort > $@
$(OUT)/tests/systemd/seccomp_run.o: CPPFLAGS += -I$(OUT)
$(OUT)/tests/systemd/seccomp_run.o: $(OUT)/tests/systemd/syscalls.inc
$(SECCOMP_RUN): $(OUT)/tests/systemd/seccomp_run.o
	$(LINK) -o $@ $^ -ljansson

TEST_PROGRAMS := $(UNIT) $(STRESS) $(MODEL) $(FUZZ) $(CONFORMANCE) $(E2E) $(BENCH) $(SECCOMP_RUN)
.PHONY: programs stress-programs
stress-programs: $(STRESS)
programs: $(if $(filter fuzz,$(FLAVOUR)),$(FUZZ),$(PROGRAMS) $(TEST_PROGRAMS))

.PRECIOUS: $(OUT)/%.o $(OUT)/seam/%.o
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

# ---- packages, and the two commands --------------------------------------------------------------

.PHONY: deps deps-run run test
deps:
	@tests/packages run test
deps-run:
	@tests/packages run

# The two commands build in a second make, because what it needs may only have been installed by this one.
JOBS := $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
PORT ?= 8080
run: deps-run
	@$(MAKE) --no-print-directory $(JOBS) all
	@systemd/demo '$(OUT)' '$(PORT)'

# tests/run builds, runs, counts. PARTS= chooses some of: build lint unit stress model mutants replay conformance
# seccomp install e2e epoll clients browser fuzz. E2E_SCALE=0.1 shortens the end-to-end tests.
RUN_TESTS = MAKE='$(MAKE) --no-print-directory $(JOBS)' FLAVOUR='$(FLAVOUR)' CC='$(CC)' tests/run '$(OUT)'
test: deps
	+@$(RUN_TESTS) $(PARTS)

.PHONY: lint unit stress model mutants replay conformance seccomp e2e epoll clients browser
lint unit stress model mutants replay conformance seccomp e2e epoll clients browser:
	+@$(RUN_TESTS) build $@

# ---- more than `make test` -----------------------------------------------------------------------

.PHONY: fuzz cover bench format
# Each target for FUZZ_SECONDS, from its corpus. What it finds new stays in build/fuzz/corpus; a crash is a failure.
export FUZZ_SECONDS ?= 10
fuzz:
	+@MAKE='$(MAKE) --no-print-directory $(JOBS)' FLAVOUR=fuzz CC=clang tests/run build/fuzz build fuzz

# Lines that the tests run, by folder.
cover:
	+@MAKE='$(MAKE) --no-print-directory $(JOBS)' FLAVOUR=cover CC=gcc E2E_SCALE=$(or $(E2E_SCALE),0.1) \
	   tests/run build/cover build unit stress replay e2e
	@tests/cover build/cover

bench: $(PROGRAMS) $(BENCH)
	@RINGCAST_BIN='$(OUT)' sh tests/bench/run.sh

format:
	@tests/lint/lint sources | xargs -d '\n' clang-format -i

# ---- installation --------------------------------------------------------------------------------

.PHONY: install uninstall
DEST = "$(DESTDIR)
install: all
	install -d $(DEST)$(bindir)" $(DEST)$(libexecdir)/ringcast" $(DEST)$(datadir)/ringcast" \
	   $(DEST)$(unitdir)" $(DEST)$(sysconfdir)/ringcast"
	install -m 755 $(OUT)/ringcastd $(OUT)/ringcast $(DEST)$(bindir)"
	install -m 755 $(OUT)/ringcast-worker $(DEST)$(libexecdir)/ringcast"
	install -m 644 systemd/seccomp.json systemd/ringcast.json $(DEST)$(datadir)/ringcast"
	sed 's|/usr/local/bin|$(bindir)|; s|/etc/ringcast|$(sysconfdir)/ringcast|' systemd/ringcast.service \
	   > $(DEST)$(unitdir)/ringcast.service"
	@# A configuration that is there is somebody's work.
	test -e $(DEST)$(sysconfdir)/ringcast/ringcast.json" || \
	   install -m 644 systemd/ringcast.json $(DEST)$(sysconfdir)/ringcast"
uninstall:
	rm -f $(DEST)$(bindir)/ringcastd" $(DEST)$(bindir)/ringcast" $(DEST)$(unitdir)/ringcast.service"
	rm -rf $(DEST)$(libexecdir)/ringcast" $(DEST)$(datadir)/ringcast"

# ---- housekeeping --------------------------------------------------------------------------------

.PHONY: clean help
clean:
	rm -rf build

help:
	@echo 'make run        install what is missing, build, start a server to try (PORT=8081 for another port)'
	@echo 'make test       install what is missing, build, run every test; ends with "N passed, N failed"'
	@echo 'make            build ringcastd, ringcast-worker and ringcast into $(OUT)'
	@echo 'make deps       install the packages that building and testing need (deps-run: building only)'
	@echo 'make lint unit stress model mutants replay conformance seccomp e2e epoll clients browser'
	@echo '                one part of the tests; make test PARTS="build unit e2e" for several'
	@echo 'make fuzz       every fuzz target for FUZZ_SECONDS (10), with clang'
	@echo 'make cover      lines that the tests run, by folder'
	@echo 'make bench      fan-out to 1,000, 10,000 and 100,000 clients beside a bare send loop'
	@echo 'make install    into $(prefix) (prefix=, DESTDIR=, bindir=, libexecdir=, unitdir=, sysconfdir=); uninstall'
	@echo 'make format     clang-format over the tree;  make clean'
	@echo 'FLAVOUR=asan, tsan or cover, and CC=clang, build each into a tree of their own; V=1 shows commands'
