# fileward. `make help` says what there is to make; README.md says why.
VERSION = 0.1.0

# Where things go. BUILD=DIR keeps another build (sanitizers, another compiler) apart.
BUILD  ?= build
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man/man8
POLICYDIR   ?= $(PREFIX)/share/fileward/policy
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
LOGROTATEDIR ?= $(SYSCONFDIR)/logrotate.d

# What to build from. Everything but main.c is also an archive, so that tests and fuzzers link what they need of it.
SRC  = $(sort $(wildcard src/*.c src/*/*.c))
OBJ  = $(SRC:src/%.c=$(BUILD)/obj/%.o)
LIB  = $(BUILD)/obj/fileward.a
UNIT = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZERS = $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
HELPERS = $(patsubst tests/system/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/system/*.c)))
BENCH   = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))
SCRIPTS = .ci/run tests/run tests/kernel/run tests/kernel/init $(wildcard packaging/*.sh tests/*.sh tests/*/*.sh tests/bench/run tests/bench/report)
POLICIES = $(wildcard policy/*.ini)
MAN      = $(wildcard man/*.8)
LIBRARIES = libseccomp libcap inih libmicrohttpd nettle jansson

# Use every processor unless told otherwise.
ifeq ($(MAKELEVEL)$(findstring -j,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

# How to build. CC=clang works as well; a flag that the compiler does not know is left out.
ifeq ($(origin CC),default)
CC = gcc
endif
accepted  = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo '$(1)')
libs     := $(shell pkg-config --libs $(LIBRARIES) 2>/dev/null)
lib_flags := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(LIBRARIES) 2>/dev/null))

CFLAGS  ?= -O2 -g
DEFINES  = -D_GNU_SOURCE -DFILEWARD_VERSION=\"$(VERSION)\" -Iinclude -Isrc $(lib_flags)
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 \
           -Wpointer-arith -Wvla -Wundef -Werror -Wno-missing-field-initializers \
           $(call accepted,-Wno-gnu-variable-sized-type-not-at-end)

ifdef SANITIZE
# SANITIZE is "yes", or a further sanitizer and a comma. FILEWARD_ASAN: the sanitizers' runtime makes system calls of
# its own, which base/sandbox.c must then allow.
hardening := -fsanitize=$(SANITIZE:yes=)address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DFILEWARD_ASAN
link_hardening := -fsanitize=address,undefined
else
hardening := -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fno-strict-overflow -fno-delete-null-pointer-checks \
  $(call accepted,-fstack-protector-strong) $(call accepted,-fstack-clash-protection) \
  $(call accepted,-fcf-protection=full) $(call accepted,-mbranch-protection=standard) \
  $(call accepted,-fharden-compares) $(call accepted,-fzero-call-used-regs=used-gpr) \
  $(call accepted,-fstrict-flex-arrays=3) \
  $(or $(call accepted,-ftrivial-auto-var-init=zero),$(call accepted,-ftrivial-auto-var-init=zero \
       -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang))
link_hardening := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
endif

# Commands are shown in short; V=1 shows them.
ifndef V
short = @echo '  $(1) $@';
endif
compile = $(CC) -std=gnu17 $(CFLAGS) $(WARNINGS) $(hardening) $(DEFINES)
link    = $(CC) $(CFLAGS) $(hardening) $(LDFLAGS) $(link_hardening) -Wl,--as-needed

.PHONY: all help deps objects unit run test test-kernel soak bench lint fuzz fuzzers fuzz-programs asan uncached install install-files
.PHONY: uninstall clean libraries force bench-docs deps-bench bench-programs format lint-walls lint-format lint-shell
.PHONY: lint-cppcheck lint-analyzer
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/fileward

help:
	@echo 'make            build $(BUILD)/fileward'
	@echo 'make deps       install what the build needs (root, Debian)'
	@echo 'make run        try it: audit-only, on the real /etc and ~/.ssh (root)'
	@echo 'make test       unit, fuzz and system tests (root); tests/run NAME... runs some'
	@echo 'make soak bench lint fuzz asan    longer tests, speed, style and walls, fuzzing, sanitizers'
	@echo 'make uncached   the tests on a judge that remembers nothing'
	@echo 'make test-kernel    the core of them on an older kernel, in a virtual machine (x86_64, Debian)'
	@echo 'make install uninstall            PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) DESTDIR=$(DESTDIR)'

deps:
	@packaging/deps.sh build

# The compiler and its flags are remembered, so that another CC or CFLAGS builds anew.
$(BUILD)/flags: force
	@mkdir -p $(@D)
	@printf '%s\n' '$(compile) $(link)' | cmp -s - $@ || printf '%s\n' '$(compile) $(link)' > $@

libraries:
	@pkg-config --print-errors --exists $(LIBRARIES) || \
	    { echo 'fileward: a library is missing: run "make deps" as root' >&2; exit 1; }

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags | libraries
	@mkdir -p $(@D)
	$(call short,CC  )$(compile) -MMD -MP -c -o $@ $<

objects: $(OBJ) $(LIB)
	@:

$(LIB): $(filter-out $(BUILD)/obj/main.o,$(OBJ))
	@rm -f $@
	$(call short,AR  )ar rcs $@ $^

$(BUILD)/fileward: $(BUILD)/obj/main.o $(LIB)
	$(call short,LINK)$(link) -o $@ $^ $(libs)

# Tries fileward on this machine's own files, audit-only. Everything it makes lies under /run/fileward-try.
run:
	@packaging/deps.sh build
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) packaging/try.sh

# Tests.
$(BUILD)/unit/%: tests/unit/%.c $(LIB) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call short,TEST)$(compile) -Itests/unit -MMD -MP -MF $@.d $(link_hardening) -o $@ $< $(LIB) -lcmocka $(libs)

$(BUILD)/tests/%: tests/system/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call short,TEST)$(compile) -MMD -MP -MF $@.d $(link_hardening) -o $@ $<

unit: $(UNIT) $(HELPERS)
	@:

test:
	@packaging/deps.sh build test
	@$(MAKE) --no-print-directory all unit fuzzers
	@BUILD=$(BUILD) tests/run $(TESTS)

soak:
	@packaging/deps.sh build test
	@$(MAKE) --no-print-directory all unit
	@BUILD=$(BUILD) SOAK=1 tests/run $(TESTS)

# The core of the tests on Linux 6.1, where much of what newer kernels have is missing.
test-kernel:
	@packaging/deps.sh build test kernel
	@$(MAKE) --no-print-directory all unit
	@BUILD=$(BUILD) tests/kernel/run $(TESTS)

# The same tests on a program in which sanitizers watch memory and arithmetic.
asan:
	@packaging/deps.sh build test
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=yes CFLAGS='-O1 -g' all unit
	@BUILD=$(BUILD)/asan FUZZ_SECONDS=0 tests/run $(TESTS)

# The same tests on a judge that remembers nothing: no process, program, unit or decision from an earlier question. What
# passes here and fails above is an answer out of date.
uncached:
	@packaging/deps.sh build test
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/uncached CFLAGS='-O2 -g -DFILEWARD_NO_CACHE' all unit
	@BUILD=$(BUILD)/uncached FUZZ_SECONDS=0 tests/run $(TESTS)

# Fuzzers are made of objects of their own, by clang, with sanitizers and counters at every branch.
fuzzers:
	@$(MAKE) --no-print-directory CC=clang BUILD=$(BUILD)/fuzz SANITIZE=fuzzer-no-link, CFLAGS='-O1 -g' fuzz-programs

fuzz-programs: $(FUZZERS)
	@:

$(BUILD)/fuzz_%: tests/fuzz/fuzz_%.c $(LIB) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call short,FUZZ)$(compile) -MMD -MP -MF $@.d $(link_hardening) -fsanitize=fuzzer -o $@ $< $(LIB) $(libs)

fuzz:
	@packaging/deps.sh build fuzz
	@$(MAKE) --no-print-directory fuzzers
	@BUILD=$(BUILD) FUZZ_SECONDS=$${FUZZ_SECONDS:-60} tests/run fuzz_

# Style, walls, and what analysers say.
C_FILES = $(SRC) $(wildcard include/fileward/*.h src/*/*.h tests/*/*.c tests/*/*.h)

lint:
	@packaging/deps.sh build test lint
	@$(MAKE) --no-print-directory --keep-going lint-walls lint-format lint-shell lint-cppcheck lint-analyzer

lint-walls:
	tests/lint-walls-test.sh
	tests/lint-walls.sh

lint-format:
	@echo clang-format --dry-run -Werror
	@clang-format --dry-run -Werror $(C_FILES)

# Formats what is there; for people.
format:
	clang-format -i $(C_FILES)

lint-shell:
	shellcheck $(SCRIPTS)

# cppcheck takes an array that another argument of the same call fills for uninitialised; gcc looks after those.
lint-cppcheck:
	cppcheck -q --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem --suppress=uninitvar \
	    -D_GNU_SOURCE -D__linux__ -DFILEWARD_VERSION='""' -Iinclude -Isrc $(SRC)

# Of leaks gcc 12 knows too little: it loses sight of what a list holds. The sanitizers look for them (make asan).
lint-analyzer:
	@echo gcc -fanalyzer
	@$(MAKE) --no-print-directory CC=gcc BUILD=$(BUILD)/analyzer CFLAGS='-O1 -g -fanalyzer -Wno-analyzer-malloc-leak' objects

# Speed. bench prints what was measured; bench-docs also writes it into docs/performance.md.
bench:
	@packaging/deps.sh build test
	@$(MAKE) --no-print-directory all unit bench-programs
	@BUILD=$(BUILD) tests/bench/run

bench-docs: bench
	@BUILD=$(BUILD) tests/bench/report docs/performance.md

# fapolicyd, to compare with. Nothing of it is started or configured: the benchmark does both, for itself alone.
deps-bench:
	@packaging/deps.sh fapolicyd

bench-programs: $(BENCH)
	@:

$(BUILD)/bench/%: tests/bench/%.c $(LIB) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call short,TEST)$(compile) -MMD -MP -MF $@.d $(link_hardening) -o $@ $< $(LIB) $(libs)

# Installs files and starts nothing; README.md says how to go on. What is in SYSCONFDIR already stays as it is; where there
# is no policy at all, the shipped ones are installed, audit-only.
install:
	@$(if $(DESTDIR),,packaging/deps.sh build)
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory install-files

CONFDIR = $(DESTDIR)$(SYSCONFDIR)/fileward
ROTATE  = $(DESTDIR)$(LOGROTATEDIR)/fileward
install-files:
	install -D -m 0755 $(BUILD)/fileward $(DESTDIR)$(SBINDIR)/fileward
	install -D -m 0644 -t $(DESTDIR)$(MANDIR) $(MAN)
	install -D -m 0644 -t $(DESTDIR)$(POLICYDIR) $(POLICIES)
	install -D -m 0644 packaging/fileward.sysusers $(DESTDIR)$(SYSUSERSDIR)/fileward.conf
	install -D -m 0644 packaging/fileward.tmpfiles $(DESTDIR)$(TMPFILESDIR)/fileward.conf
	sed 's|@SBINDIR@|$(SBINDIR)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g' packaging/fileward.service | \
	    install -D -m 0644 /dev/stdin $(DESTDIR)$(UNITDIR)/fileward.service
	[ -e $(ROTATE) ] || install -D -m 0644 packaging/fileward.logrotate $(ROTATE)
	[ -e $(CONFDIR) ] || { install -D -m 0644 packaging/fileward.ini $(CONFDIR)/fileward.ini && \
	    install -D -m 0644 -t $(CONFDIR)/policy.d $(POLICIES); }

# Leaves the policy, the records and the service user.
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/fileward $(DESTDIR)$(UNITDIR)/fileward.service $(ROTATE)
	rm -f $(DESTDIR)$(SYSUSERSDIR)/fileward.conf $(DESTDIR)$(TMPFILESDIR)/fileward.conf
	rm -f $(MAN:man/%=$(DESTDIR)$(MANDIR)/%) $(POLICIES:policy/%=$(DESTDIR)$(POLICYDIR)/%)
	-rmdir $(DESTDIR)$(POLICYDIR) $(DESTDIR)$(PREFIX)/share/fileward 2>/dev/null

clean:
	rm -rf build

-include $(OBJ:.o=.d) $(UNIT:=.d) $(HELPERS:=.d) $(FUZZERS:=.d) $(BENCH:=.d)
