/*
 * work_kit - work without a link: what it tells is kept, the test is the hub
 */
#ifndef EWS_TESTS_WORK_KIT_H
#define EWS_TESTS_WORK_KIT_H

#include "check.h"

#include <inttypes.h>
#include <signal.h>

#include "ewsagent/output.h"
#include "ewsagent/work.h"
#include "lib/buf.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/secret.h"
#include "lib/str.h"
#include "net/timer.h"
#include "scratch.h"

/* The link's side of it. */
struct rig {
	struct scratch *dir;
	struct loop *loop;
	struct work *work;
	struct work_config config;
	char state[600], handlers[600];
	json_t *acks; /* all that were told */
	struct buf out[OUTPUT_STREAMS];
	char shim[PATH_SIZE];
	bool down; /* the link */
	json_t *inputs; /* input_acks */
	bool deaf; /* the hub acknowledges no output */
	json_t *to_ack; /* output frames that the hub has yet to answer */
	unsigned idle;
	struct timer *wakes; /* no turn sleeps long: files change without it */
};

static inline void
on_wakes(void *arg)
{
	struct rig *r = arg;

	timer_set(r->wakes, 10);
}

static inline bool
on_ack(void *arg, enum work_ack kind, const json_t *data)
{
	struct rig *r = arg;

	if (r->down)
		return false;
	(void)kind;
	json_array_append_new(r->acks, json_deep_copy(data));
	return true;
}

static inline bool
on_input_ack(void *arg, const json_t *data)
{
	struct rig *r = arg;

	json_array_append_new(r->inputs, json_deep_copy(data));
	return !r->down;
}

static inline bool
on_output(void *arg, const json_t *data)
{
	struct rig *r = arg;
	int i = output_stream(js_str(data, "stream"));
	const json_t *text = js_get(data, "data");
	static char raw[1 << 16];
	size_t len = sizeof raw;

	if (r->down)
		return false;
	assert_true((uint64_t)js_int(data, "offset", -1) <= r->out[i].len);
	r->out[i].len = (size_t)js_int(data, "offset", -1);
	if (text != NULL) {
		buf_add(&r->out[i], json_string_value(text),
		    json_string_length(text));
	} else {
		assert_true(
		    str_unb64(raw, sizeof raw, js_str(data, "data64"), &len));
		buf_add(&r->out[i], raw, len);
	}
	json_array_append_new(
	    r->to_ack, json_pack("{s:O,s:O,s:I}", "command_id",
			   json_object_get(data, "command_id"), "stream",
			   json_object_get(data, "stream"), "offset",
			   (json_int_t)r->out[i].len));
	return true;
}

static inline void
on_idle(void *arg)
{
	struct rig *r = arg;

	r->idle++;
}

static const struct work_events events = { on_ack, on_output, on_input_ack,
	on_idle };

static inline void
start(struct rig *r)
{
	struct err err = ERR_INIT;

	r->work = work_new(&r->config, &err);
	if (r->work == NULL)
		fail_msg("%s", err.text);
}

static inline void
restart(struct rig *r)
{
	work_free(r->work);
	json_array_clear(r->acks);
	start(r);
	work_resend(r->work);
}

/* build/X/unit/work_test, build/X/ewsagent-shim */
static inline void
find_shim(char out[PATH_SIZE])
{
	char self[PATH_SIZE];
	size_t len = sizeof self;

	assert_int_equal(uv_exepath(self, &len), 0);
	*strrchr(self, '/') = '\0';
	assert_true(path_join(out, self, "../ewsagent-shim", NULL));
}

static inline void
open_rig(struct rig *r, struct scratch *dir)
{
	memset(r, 0, sizeof *r);
	find_shim(r->shim);
	r->dir = dir;
	snprintf(r->state, sizeof r->state, "%s/state", dir->dir);
	snprintf(r->handlers, sizeof r->handlers, "%s/handlers", dir->dir);
	assert_int_equal(mkdir(r->handlers, 0755), 0);
	r->loop = loop_new();
	r->wakes = timer_new(r->loop, on_wakes, r);
	timer_set(r->wakes, 0);
	r->acks = json_array();
	r->to_ack = json_array();
	r->inputs = json_array();
	buf_init(&r->out[0], 64 << 20);
	buf_init(&r->out[1], 64 << 20);
	r->config = (struct work_config){ .loop = r->loop,
		.clock = &clock_system,
		.state_dir = r->state,
		.shim = r->shim,
		.boot = "this boot",
		.handlers = r->handlers,
		.agent_id = "edge 1",
		.hub_url = "wss://me:secret@hub.example:1/edge?token=x",
		.path = "/usr/bin:/bin",
		.concurrency = 4,
		.queue_max = 1000,
		.held_max = 100,
		.deadline_ms = 3600000,
		.grace_ms = 1000,
		.output_max = 1 << 30,
		.spool_max = 1 << 30,
		.output_chunk = 32768,
		.output_window = 262144,
		.ledger_keep_ms = 86400000,
		.ledger_keep = 1000,
		.events = &events,
		.arg = r };
}

static inline void
close_rig(struct rig *r)
{
	work_free(r->work);
	timer_free(r->wakes);
	loop_free(r->loop);
	json_decref(r->acks);
	json_decref(r->to_ack);
	json_decref(r->inputs);
	buf_fini(&r->out[0]);
	buf_fini(&r->out[1]);
}

static inline void
handler(struct rig *r, const char *name, const char *body)
{
	char *text = mem_printf("#!/bin/sh\ndir='%s'\n%s\n", r->dir->dir, body);
	char file[80];

	snprintf(file, sizeof file, "handlers/%s", name);
	scratch_write(r->dir, file, text, strlen(text), 0755);
	free(text);
}

static const char mark[] = "echo \"$EWS_COMMAND_ID\" >> $dir/log";
/* Runs until the test makes the file 'go'; its output wakes our loop.
 * Not for ever: a failed test leaves it behind. */
static const char hold[] = "echo \"$EWS_COMMAND_ID\" >> $dir/log; echo up\n"
			   "i=0; while [ ! -e $dir/go ] && [ $i -lt 1500 ]\n"
			   "do i=$((i + 1)); sleep 0.02; done";

static inline void
let_go(struct rig *r)
{
	scratch_write(r->dir, "go", "", 0, 0600);
}

static inline char *
read_log(struct rig *r)
{
	static char text[65536];
	int fd = open(scratch_path(r->dir, "log"), O_RDONLY);
	ssize_t n = fd == -1 ? 0 : read(fd, text, sizeof text - 1);

	if (fd != -1)
		close(fd);
	text[n] = '\0';
	return text;
}

static inline void
take(struct rig *r, const char *id, const char *type, const char *more, bool v1)
{
	char *text = mem_printf("{\"command_id\":\"%s\",\"command_type\":\"%s\""
				"%s%s}",
	    id, type, more[0] != '\0' ? "," : "", more);
	json_t *data = js_read_object(text, strlen(text), NULL);

	assert_non_null(data);
	work_take(r->work, data, v1);
	json_decref(data);
	free(text);
}

static inline void
acknowledge(struct rig *r)
{
	json_t *frames = r->to_ack, *f;
	size_t i;

	if (r->deaf || json_array_size(frames) == 0)
		return;
	r->to_ack = json_array();
	json_array_foreach(frames, i, f)
	    work_output_acked(r->work, js_str(f, "command_id"),
		js_str(f, "stream"), js_int(f, "offset", 0), false);
	json_decref(frames);
}

static inline void
turn(struct rig *r)
{
	uv_run(loop_uv(r->loop), UV_RUN_ONCE);
	acknowledge(r);
}

static inline size_t
count(struct rig *r, const char *id, const char *status)
{
	size_t i, n = 0;
	json_t *ack;

	json_array_foreach(r->acks, i, ack) n +=
	    str_eq(js_str(ack, "command_id"), id) &&
	    str_eq(js_str(ack, "status"), status);
	return n;
}

/* Turns the loop until this was told; lent. */
static inline json_t *
told(struct rig *r, const char *id, const char *status)
{
	json_t *ack;
	size_t i;

	while (count(r, id, status) == 0)
		turn(r);
	json_array_foreach(r->acks, i, ack)
	{
		if (str_eq(js_str(ack, "command_id"), id) &&
		    str_eq(js_str(ack, "status"), status))
			return ack;
	}
	return NULL;
}

static inline int64_t
number(struct rig *r, const char *what)
{
	json_t *status = work_status(r->work);
	json_t *value = json_object_get(status, what);
	int64_t n = json_is_array(value) ? (int64_t)json_array_size(value)
					 : json_integer_value(value);

	json_decref(status);
	return n;
}

/* A handler's line in the log comes with output that wakes our loop. */
static inline void
wait_log(struct rig *r, const char *line)
{
	while (strstr(read_log(r), line) == NULL)
		turn(r);
}

#endif
