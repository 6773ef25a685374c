# ews: push work to machines behind NAT, and know what became of it
#
#   make            builds bin/
#   make demo       installs what is missing, builds, shows it at work
#   make check      all tests (SAN=1: with address and undefined sanitizers)
#   make install    PREFIX=/usr/local DESTDIR=

VERSION = 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
SAN ?= 0

UNAME := $(shell uname -s)
B := build/$(if $(filter 1,$(SAN)),san,opt)

# ---- what is built from what ------------------------------------------

LIB_SRC = \
	src/lib/backoff.c src/lib/buf.c src/lib/clock.c src/lib/clock_span.c \
	src/lib/conf.c src/lib/conf_file.c src/lib/conf_flag.c \
	src/lib/conf_print.c src/lib/conf_text.c src/lib/cron.c \
	src/lib/cron_next.c src/lib/ctl.c src/lib/ctl_io.c src/lib/day.c \
	src/lib/err.c src/lib/hash.c src/lib/id.c \
	src/lib/json.c src/lib/json_span.c src/lib/line.c src/lib/log.c \
	src/lib/log_limit.c src/lib/mem.c \
	src/lib/path.c src/lib/path_file.c src/lib/port.c src/lib/prog.c \
	src/lib/secret.c src/lib/sha256.c src/lib/state.c src/lib/str.c src/lib/str_code.c \
	src/lib/str_utf8.c src/lib/target.c src/lib/tz.c \
	src/lib/tz_file.c src/lib/tz_rule.c src/lib/unix.c
DB_SRC = src/lib/db.c src/lib/db_batch.c src/lib/db_file.c src/lib/db_lock.c \
	src/lib/db_sql.c
NET_SRC = \
	src/net/frame.c src/net/gate.c src/net/gate_judge.c \
	src/net/gate_names.c src/net/http.c src/net/jsock.c src/net/loop.c \
	src/net/outq.c src/net/timer.c src/net/ws.c src/net/ws_admit.c \
	src/net/ws_client.c src/net/ws_conn.c src/net/ws_guest.c src/net/ws_guest_head.c \
	src/net/ws_listen.c src/net/ws_message.c src/net/ws_sock.c \
	src/net/ws_tls.c src/net/ws_url.c src/net/ws_wheel.c
EWSD_SRC = \
	src/ewsd/dialect/ctl_agents.c src/ewsd/dialect/ctl_dead.c \
	src/ewsd/dialect/call.c src/ewsd/dialect/ctl.c \
	src/ewsd/dialect/ctl_cancel.c src/ewsd/dialect/ctl_conn.c \
	src/ewsd/dialect/ctl_input.c src/ewsd/dialect/ctl_read.c \
	src/ewsd/dialect/ctl_send.c src/ewsd/dialect/ctl_watch.c \
	src/ewsd/dialect/edge.c src/ewsd/dialect/edge_ack.c \
	src/ewsd/dialect/edge_admin.c src/ewsd/dialect/edge_answer.c \
	src/ewsd/dialect/edge_http.c \
	src/ewsd/dialect/edge_in.c src/ewsd/dialect/edge_out.c \
	src/ewsd/dialect/edge_output.c \
	src/ewsd/dialect/edge_schedule.c src/ewsd/dialect/edge_sync.c \
	src/ewsd/dialect/hub_calls.c src/ewsd/door/door_admit.c \
	src/ewsd/door/door_http.c src/ewsd/door/door_net.c src/ewsd/door/listen_spec.c \
	src/ewsd/door/door_unix.c src/ewsd/door/door_ws.c \
	src/ewsd/door/routes.c src/ewsd/hub.c src/ewsd/hub_dirs.c \
	src/ewsd/hub_talk.c src/ewsd/main.c \
	src/ewsd/dialect/ctl_jobs.c src/ewsd/dialect/ctl_schedule.c
CORE_SRC = \
	src/ewsd/core/agent_log.c src/ewsd/core/conflict.c \
	src/ewsd/core/evict.c \
	src/ewsd/core/later.c src/ewsd/core/requeue.c src/ewsd/core/tags.c \
	src/ewsd/core/ack.c src/ewsd/core/agents.c src/ewsd/core/auth.c \
	src/ewsd/core/auth_set.c src/ewsd/core/cancel.c \
	src/ewsd/core/client.c src/ewsd/core/command.c \
	src/ewsd/core/command_end.c src/ewsd/core/command_json.c \
	src/ewsd/core/command_submit.c src/ewsd/core/core.c \
	src/ewsd/core/flap.c src/ewsd/core/input.c src/ewsd/core/watch.c \
	src/ewsd/core/link.c \
	src/ewsd/core/link_send.c src/ewsd/core/output.c \
	src/ewsd/core/output_chunk.c src/ewsd/core/output_end.c \
	src/ewsd/core/queue.c src/ewsd/core/rate.c src/ewsd/core/stats.c \
	src/ewsd/core/jobs.c src/ewsd/core/due.c src/ewsd/core/planned.c \
	src/ewsd/core/schedule.c src/ewsd/core/schedule_change.c \
	src/ewsd/core/schedule_fire.c src/ewsd/core/schedule_json.c \
	src/ewsd/core/jobs_due.c
STORE_SRC = \
	src/ewsd/store/store_agents.c src/ewsd/store/store_dead.c \
	src/ewsd/store/store_note.c \
	src/ewsd/store/store_keep.c src/ewsd/store/store_output.c \
	src/ewsd/store/store_read.c \
	src/ewsd/store/store_row.c src/ewsd/store/store_sqlite.c \
	src/ewsd/store/store_write.c \
	src/ewsd/store/store_jobs.c src/ewsd/store/store_schedule.c
WORK_SRC = \
	src/ewsagent/agenda.c src/ewsagent/chunk.c src/ewsagent/exec.c \
	src/ewsagent/handlers.c src/ewsagent/handlers_conf.c \
	src/ewsagent/handlers_conf_read.c src/ewsagent/job.c \
	src/ewsagent/jobqueue.c \
	src/ewsagent/ledger.c src/ewsagent/output.c src/ewsagent/result.c \
	src/ewsagent/jobdir.c src/ewsagent/run.c src/ewsagent/run_conn.c \
	src/ewsagent/run_end.c src/ewsagent/run_start.c \
	src/ewsagent/shim_spec.c src/ewsagent/spawn.c src/ewsagent/spool.c \
	src/ewsagent/work.c src/ewsagent/work_again.c \
	src/ewsagent/work_cancel.c src/ewsagent/work_end.c \
	src/ewsagent/work_hold.c src/ewsagent/work_input.c \
	src/ewsagent/work_run.c src/ewsagent/work_status.c \
	src/ewsagent/work_take.c src/ewsagent/work_tell.c
# libc and what it needs of liblib, so that it starts at once
SHIM_SRC = \
	src/ewsagent/shim.c src/ewsagent/shim_conn.c \
	src/ewsagent/shim_end.c src/ewsagent/shim_input.c
SHIM_SHARED = \
	src/ewsagent/jobdir.c src/ewsagent/run_end.c \
	src/ewsagent/shim_spec.c src/ewsagent/spawn.c src/ewsagent/spool.c
EWSAGENT_SRC = \
	src/ewsagent/agent.c src/ewsagent/agent_status.c \
	src/ewsagent/agent_stop.c src/ewsagent/agent_ways.c \
	src/ewsagent/door_unix.c src/ewsagent/fetch.c src/ewsagent/hub_url.c \
	src/ewsagent/intake.c src/ewsagent/link.c src/ewsagent/link_conn.c \
	src/ewsagent/linkplan.c src/ewsagent/main.c src/ewsagent/options.c \
	src/ewsagent/outbox.c src/ewsagent/poll.c src/ewsagent/poll_sync.c \
	src/ewsagent/post.c src/ewsagent/self.c src/ewsagent/token.c
EWSCTL_SRC = \
	src/ewsctl/ask.c src/ewsctl/cmd_change.c src/ewsctl/cmd_dead.c \
	src/ewsctl/cmd_later.c src/ewsctl/cmd_look.c src/ewsctl/cmd_run.c \
	src/ewsctl/cmd_send.c src/ewsctl/cmd_why.c src/ewsctl/emit.c \
	src/ewsctl/exits.c src/ewsctl/help.c src/ewsctl/input.c \
	src/ewsctl/jq.c src/ewsctl/later_text.c src/ewsctl/lines.c \
	src/ewsctl/main.c src/ewsctl/output_json.c src/ewsctl/output_text.c \
	src/ewsctl/plan.c src/ewsctl/report.c src/ewsctl/session.c \
	src/ewsctl/session_signal.c src/ewsctl/session_take.c \
	src/ewsctl/signals.c src/ewsctl/why.c \
	src/ewsctl/why_agent.c src/ewsctl/why_command.c src/ewsctl/why_schedule.c \
	src/ewsctl/cmd_cron.c \
	src/ewsctl/cmd_jobs.c \
	src/ewsctl/cron_child.c \
	src/ewsctl/cron_spool.c \
	src/ewsctl/cron_tail.c \
	src/ewsctl/jobs_text.c \
	src/ewsctl/spill.c \
	src/ewsctl/fan.c \
	src/ewsctl/fan_link.c \
	src/ewsctl/fan_out.c \
	src/ewsctl/fan_report.c \
	src/ewsctl/fan_who.c

UNIT = \
	agent_log dead \
	agents due planned schedule store_schedule auth backoff buf clock command conf ctl err hash edge id json line log path secret str unix \
	db db_disk db_file frame gate hub_url ledger linkplan outbox outq output input store store_disk handlers handlers_conf jobqueue jobdir run shim spool target work work_again work_hold work_input jobs jsock ws \
	http ws_client ws_frames ws_tls tz cron day store_plans fuzz

PROGRAMS = ewsd ewsagent ewsctl
HELPERS = ewsagent-shim
TOOLS = wsprobe wsproxy sockline oldhub storm
BENCH_TOOLS = floor load fan stopwatch

# ---- how --------------------------------------------------------------

CC ?= cc
CSTD = -std=gnu11
WARN = -Wall -Wextra -Wformat=2 -Wformat-security -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Werror
OPT = -O2 -g
ifeq ($(SAN),1)
OPT = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
endif
HARDEN = -fstack-protector-strong
ifneq ($(SAN),1)
HARDEN += -D_FORTIFY_SOURCE=2
endif
ifeq ($(UNAME),Darwin)
BREW := $(shell brew --prefix 2>/dev/null)
export PKG_CONFIG_PATH := $(BREW)/opt/openssl@3/lib/pkgconfig:$(BREW)/opt/curl/lib/pkgconfig:$(BREW)/opt/sqlite/lib/pkgconfig:$(PKG_CONFIG_PATH)
DEFS = -D_DARWIN_C_SOURCE -I$(BREW)/include
LDBASE = -L$(BREW)/lib
else
DEFS = -D_GNU_SOURCE
LDBASE =
endif
CPPFLAGS += -Isrc $(DEFS) -DEWS_VERSION='"$(VERSION)"'
CFLAGS += $(CSTD) $(WARN) $(OPT) $(HARDEN)

PC_BASE = jansson inih libcrypto
PC_NET = libwebsockets libuv jansson inih libcrypto libssl
PC_DB = sqlite3
PC_CURL = libcurl

# asked once, and only when something is compiled: deps may come first
lazy = $(eval $(1) := $(shell pkg-config $(2)))$($(1))
PCFLAGS = $(call lazy,PCFLAGS,--cflags $(PC_NET) $(PC_DB) $(PC_CURL))
LIBS_BASE = $(call lazy,LIBS_BASE,--libs $(PC_BASE))
LIBS_NET = $(call lazy,LIBS_NET,--libs $(PC_NET) $(PC_DB)) -lpthread
LIBS_AGENT = $(call lazy,LIBS_AGENT,--libs $(PC_NET) $(PC_DB) $(PC_CURL)) \
	-lpthread
LIBS_UNIT = $(call lazy,LIBS_UNIT,--libs cmocka)

# the shim is started for each command, and the library takes a millisecond
# to load: the one object that it needs, where there is an archive to take
# it from
LIBDIR = $(call lazy,LIBDIR,--variable=libdir libcrypto)
LIBS_SHIM = $(or $(wildcard $(LIBDIR)/libcrypto.a),$(call lazy,LIBS_CRYPTO,--libs libcrypto))

obj = $(patsubst %.c,$B/%.o,$(1))
ALL_SRC = $(LIB_SRC) $(DB_SRC) $(NET_SRC) $(STORE_SRC) $(CORE_SRC) \
	$(EWSD_SRC) \
	$(WORK_SRC) $(SHIM_SRC) $(EWSAGENT_SRC) $(EWSCTL_SRC)

all: $(PROGRAMS:%=bin/%) $(HELPERS:%=bin/%)

# bin/ holds the programs of the last build: plain or sanitized
bin/%: $B/% FORCE
	@mkdir -p bin
	@cmp -s $< $@ || { cp $< $@.new && mv $@.new $@; }
FORCE:

$B/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PCFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/liblib.a: $(call obj,$(LIB_SRC))
$B/libdb.a: $(call obj,$(DB_SRC))
$B/libnet.a: $(call obj,$(NET_SRC))
$B/libcore.a: $(call obj,$(CORE_SRC))
$B/libhub.a: $(call obj,$(filter-out %/main.c,$(EWSD_SRC)))
$B/libstore.a: $(call obj,$(STORE_SRC))
$B/libwork.a: $(call obj,$(WORK_SRC))
$B/libagent.a: $(call obj,$(filter-out %/main.c,$(EWSAGENT_SRC)))
$B/lib%.a:
	@rm -f $@
	$(AR) rcs $@ $^

$B/ewsd: $(call obj,$(EWSD_SRC)) $B/libcore.a $B/libstore.a $B/libdb.a \
    $B/libnet.a $B/liblib.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(LDBASE) -o $@ $^ $(LIBS_NET)
$B/ewsagent: $(call obj,$(EWSAGENT_SRC)) $B/libwork.a $B/libdb.a \
    $B/libnet.a $B/liblib.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(LDBASE) -o $@ $^ $(LIBS_AGENT)
$B/ewsagent-shim: $(call obj,$(SHIM_SRC) $(SHIM_SHARED)) $B/liblib.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(LDBASE) -o $@ $^ $(LIBS_SHIM)
$B/ewsctl: $(call obj,$(EWSCTL_SRC)) $B/liblib.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(LDBASE) -o $@ $^ $(LIBS_BASE)

$B/unit/%_test: $B/tests/unit/%_test.o $B/libagent.a $B/libwork.a \
    $B/libhub.a $B/libcore.a $B/libstore.a $B/libdb.a $B/libnet.a $B/liblib.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(LDBASE) -o $@ $^ $(LIBS_UNIT) $(LIBS_NET)

# mutants for all that reads a stranger's bytes; short among the unit tests
FUZZ_SRC = tests/fuzz/fuzz.c tests/fuzz/mutate.c tests/fuzz/readers.c
$B/unit/fuzz_test: $(call obj,$(FUZZ_SRC)) $B/libhub.a $B/libcore.a \
    $B/libstore.a $B/libdb.a $B/libnet.a $B/liblib.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(LDBASE) -o $@ $^ $(LIBS_NET)

# the tests' own clients and proxies share nothing with what they test
T = tests/tools
WSPROBE_SRC = $T/wsprobe.c $T/steps.c $T/send_steps.c $T/recv_steps.c \
	$T/acks.c $T/jsonpeek.c $T/raw.c $T/peer.c $T/upgrade.c $T/wire.c \
	$T/wskey.c $T/wsframe.c $T/utf8.c $T/number.c $T/bytes.c
WSPROXY_SRC = $T/wsproxy.c $T/pair.c $T/listener.c $T/number.c $T/bytes.c
SOCKLINE_SRC = $T/sockline.c $T/number.c $T/bytes.c
OLDHUB_SRC = $T/oldhub.c $T/oldhub_conn.c $T/listener.c $T/wskey.c \
	$T/wsframe.c $T/number.c $T/bytes.c
BENCH_SRC = $T/bytes.c $T/wsframe.c $T/wskey.c $T/number.c
FLOOR_SRC = tests/bench/floor.c tests/bench/poller.c $T/listener.c \
	$(BENCH_SRC)
LOAD_SRC = tests/bench/load.c tests/bench/options.c tests/bench/crowd.c \
	tests/bench/usage.c $(BENCH_SRC)
STORM_SRC = tests/fuzz/storm.c tests/fuzz/mutate.c
$B/tools/wsprobe: $(WSPROBE_SRC)
$B/tools/wsproxy: $(WSPROXY_SRC)
$B/tools/sockline: $(SOCKLINE_SRC)
$B/tools/storm: $(STORM_SRC)
$B/tools/oldhub: $(OLDHUB_SRC)
$B/tools/floor: $(FLOOR_SRC)
$B/tools/load: $(LOAD_SRC)
$B/tools/stopwatch: tests/bench/stopwatch.c $T/number.c $T/bytes.c
# a disk that fails when it is told to; what it shows of itself is Linux's
FAULT = tests/fault
ifeq ($(UNAME),Linux)
TOOLS += faultlib.so killlib.so ackrun powercut
endif
$B/tools/ackrun: $(FAULT)/ackrun.c $(FAULT)/commands.c $(FAULT)/commands.h
$B/tools/faultlib.so: $(FAULT)/faultlib.c $(FAULT)/record.h
$B/tools/killlib.so: $(FAULT)/killlib.c
$B/tools/%.so:
	@mkdir -p $(@D)
	$(CC) $(DEFS) $(CSTD) $(WARN) -O2 -g -fPIC -shared -o $@ $< -ldl \
	    -lpthread
POWERCUT_SRC = $(FAULT)/powercut.c $(FAULT)/promises.c $(FAULT)/disk.c \
	$(FAULT)/commands.c
POWERCUT_H = $(FAULT)/record.h $(FAULT)/promises.h $(FAULT)/disk.h \
	$(FAULT)/commands.h
$B/tools/powercut: $(POWERCUT_SRC) $(POWERCUT_H) $B/libstore.a $B/libdb.a \
    $B/liblib.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PCFLAGS) $(CFLAGS) $(LDFLAGS) $(LDBASE) -o $@ \
	    $(filter-out %.h,$^) $(LIBS_NET)
# src/net alone, to be compared with the floor
$B/tools/fan: tests/bench/fan.c $T/number.c $T/bytes.c $B/libnet.a \
    $B/liblib.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PCFLAGS) $(CFLAGS) $(LDFLAGS) $(LDBASE) -o $@ $^ \
	    $(LIBS_NET)
$B/tools/%:
	@mkdir -p $(@D)
	$(CC) $(DEFS) $(CSTD) -Wall -Wextra -Werror -O2 -g -o $@ \
	    $(filter-out %.h,$^) $(LDBASE) -lssl -lcrypto

tools: $(TOOLS:%=$B/tools/%)
# the objects of the tests are wanted again
.SECONDARY:
unit: $(UNIT:%=$B/unit/%_test) $(HELPERS:%=$B/%)

# ---- completions and manuals, from the lists the programs run on --------

COMPLETIONS = $(foreach p,$(PROGRAMS),$B/completions/$p.bash \
	$B/completions/_$p $B/completions/$p.fish)
completions: $(COMPLETIONS)
GEN_SRC = $(addprefix completions/, gen.c lists.c bash.c zsh.c fish.c man.c)
$B/gen: $(GEN_SRC) completions/gen.h src/ewsctl/verbs.def \
    src/ewsctl/settings.def src/ewsd/settings.def src/ewsagent/settings.def
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(WARN) -Isrc -o $@ $(GEN_SRC)
$B/completions/%.bash: $B/gen
	@mkdir -p $(@D)
	$B/gen bash $* > $@
$B/completions/_%: $B/gen
	@mkdir -p $(@D)
	$B/gen zsh $* > $@
$B/completions/%.fish: $B/gen
	@mkdir -p $(@D)
	$B/gen fish $* > $@

MAN = ewsctl.1 ews.conf.5 ews-protocol.7 ewsagent.8 ewsd.8
man: $(MAN:%=$B/man/%)
$B/man/%: share/man/% $B/gen
	@mkdir -p $(@D)
	$B/gen man $* < $< > $@

# ---- what a newcomer types ---------------------------------------------

deps:
	@sh share/deps.sh

# the flags of the libraries can only be asked for when they are there
demo: deps
	@$(MAKE) --no-print-directory -s -j2 all
	@sh share/demo.sh

check: deps
	@$(MAKE) --no-print-directory -s -j2 all tools unit completions man
	@failed=0; for part in check-unit check-bats; do \
		$(MAKE) --no-print-directory $$part || failed=1; \
	done; exit $$failed

# bats runs this many tests at a time: they mostly wait; one that waits for
# ever is ended (seconds)
JOBS ?= 4
TEST_TIMEOUT ?= 120
check-unit: unit
	@failed=0; for t in $(UNIT:%=$B/unit/%_test); do \
		echo "# $$t"; timeout 120 $$t || failed=1; done; exit $$failed

# the long form of the trial with kill -9 (tests/60-kills.bats)
KILLS ?= 1000
kills: all tools
	@EWS_BUILD=$(notdir $B) EWS_KILLS=$(KILLS) bats --tap tests/60-kills.bats

# the long form of the trial with a killed agent (tests/63-agent-kills.bats)
AGENT_KILLS ?= 1000
agent-kills: all tools
	@EWS_BUILD=$(notdir $B) EWS_AGENT_KILLS=$(AGENT_KILLS) \
	    bats --tap tests/63-agent-kills.bats

# the long form of the trials of the disk (tests/62-storage.bats)
TORTURE ?= 2000
torture: all tools
	@EWS_BUILD=$(notdir $B) EWS_TORTURE=$(TORTURE) bats --tap tests/62-storage.bats

check-bats: all tools completions man
	@EWS_BUILD=$(notdir $B) BATS_TEST_TIMEOUT=$(TEST_TIMEOUT) \
	    bats --tap --jobs $(JOBS) tests

# longer, always with the sanitizers: make fuzz EWS_FUZZ_SECONDS=600
EWS_FUZZ_SECONDS ?= 20
EWS_FUZZ_SEED ?= 1
fuzz:
	@$(MAKE) --no-print-directory -s SAN=1 build/san/unit/fuzz_test
	@build/san/unit/fuzz_test $(EWS_FUZZ_SECONDS) $(EWS_FUZZ_SEED)

# the benches source one another
lint: man
	clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')
	shellcheck share/*.sh share/examples/handlers/* .ci/run tests/lib/*.bash
	shellcheck -e SC1091,SC2034,SC2154 tests/bench/*.sh
	mandoc -Tlint -Wwarning $(MAN:%=$B/man/%)
	clang-tidy --quiet $(ALL_SRC) -- $(CPPFLAGS) $(PCFLAGS) $(CSTD)

bench: all tools $(BENCH_TOOLS:%=$B/tools/%)
	@sh tests/bench/run.sh

# is it still quick with a million stored commands?
bench-million: all tools
	@sh tests/bench/million.sh

mandir = $(PREFIX)/share/man
install: all completions man
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/ews
	install -m 755 $(PROGRAMS:%=bin/%) $(DESTDIR)$(PREFIX)/bin
	install -d $(DESTDIR)$(PREFIX)/libexec/ews
	install -m 755 $(HELPERS:%=bin/%) $(DESTDIR)$(PREFIX)/libexec/ews
	for m in $(MAN); do d=$(DESTDIR)$(mandir)/man$${m##*.}; \
		install -d $$d && install -m 644 $B/man/$$m $$d || exit 1; done
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	    $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	for p in $(PROGRAMS); do \
		install -m 644 $B/completions/$$p.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$p && \
		install -m 644 $B/completions/_$$p $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_$$p && \
		install -m 644 $B/completions/$$p.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/$$p.fish || exit 1; done
	install -d $(DESTDIR)$(PREFIX)/share/ews/handlers
	install -m 755 share/examples/handlers/* $(DESTDIR)$(PREFIX)/share/ews/handlers
	install -m 644 share/examples/handlers.conf $(DESTDIR)$(PREFIX)/share/ews
ifeq ($(UNAME),Darwin)
	install -d $(DESTDIR)$(PREFIX)/share/ews/launchd
	for f in share/launchd/*.plist; do sed 's|@PREFIX@|$(PREFIX)|g' $$f > $(DESTDIR)$(PREFIX)/share/ews/launchd/$${f##*/} || exit 1; done
else
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for f in share/systemd/*.service; do sed 's|@PREFIX@|$(PREFIX)|g' $$f > $(DESTDIR)$(PREFIX)/lib/systemd/system/$${f##*/} || exit 1; done
endif

uninstall:
	rm -f $(PROGRAMS:%=$(DESTDIR)$(PREFIX)/bin/%)
	rm -f $(HELPERS:%=$(DESTDIR)$(PREFIX)/libexec/ews/%)
	-rmdir $(DESTDIR)$(PREFIX)/libexec/ews
	for m in $(MAN); do rm -f $(DESTDIR)$(mandir)/man$${m##*.}/$$m; done
	for p in $(PROGRAMS); do rm -f \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$p \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_$$p \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/$$p.fish; done
	for f in share/systemd/*.service; do rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/$${f##*/}; done
	rm -rf $(DESTDIR)$(PREFIX)/share/ews

clean:
	rm -rf build $(PROGRAMS:%=bin/%) $(HELPERS:%=bin/%)

.PHONY: all tools unit completions man deps demo check check-unit check-bats \
	kills agent-kills torture lint bench bench-million fuzz install \
	uninstall clean FORCE
-include $(wildcard $B/src/*/*.d $B/src/*/*/*.d $B/tests/unit/*.d $B/tests/fuzz/*.d)
