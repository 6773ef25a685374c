/* what many agents say, so that it can be told apart */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ewsctl/emit.h"
#include "ewsctl/fan_priv.h"
#include "ewsctl/spill.h"
#include "lib/buf.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { LINE_MAX_ = 64 * 1024, NAME_CELL = 512 };

struct fan_text {
	struct buf lines[2]; /* of each stream: one that has no end yet */
	struct spill *held[2]; /* or all of it; or NULL */
};

static struct fan_text *
text_of(struct fan_member *m, bool hold)
{
	if (m->text != NULL)
		return m->text;
	m->text = mem_alloc(sizeof *m->text);
	for (int i = 0; i < 2; i++) {
		buf_init(&m->text->lines[i], LINE_MAX_);
		if (hold)
			m->text->held[i] = spill_new();
	}
	return m->text;
}

void
fan_text_free(struct fan_text *t)
{
	if (t == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		buf_fini(&t->lines[i]);
		spill_free(t->held[i]);
	}
	free(t);
}

/* An agent chose its name itself. */
static const char *
shown_name(const struct fan_member *m)
{
	static char name[NAME_CELL];

	return str_escape(name, sizeof name, m->agent, strlen(m->agent));
}

/* ---- lines ------------------------------------------------------------------ */

/* In one write, so that others do not come between. */
static void
put_line(const struct fan_member *m, int stream, const struct buf *begun,
    const char *rest, size_t len)
{
	struct buf out;

	buf_init(&out, NAME_CELL + 2 * LINE_MAX_ + 8);
	buf_printf(&out, "%s: ", shown_name(m));
	buf_add(&out, begun->bytes != NULL ? begun->bytes : "", begun->len);
	buf_add(&out, rest, len);
	buf_add(&out, "\n", 1);
	emit(stream == 0 ? STDOUT_FILENO : STDERR_FILENO, out.bytes, out.len);
	buf_fini(&out);
}

/* A line over the bound is cut into several. */
static void
lines_record(struct fan *f, struct fan_member *m, json_t *record, int stream,
    const char *bytes, size_t len)
{
	struct buf *begun;

	(void)f;
	(void)record;
	if (stream < 0)
		return;
	begun = &text_of(m, false)->lines[stream];
	while (len > 0) {
		size_t room = LINE_MAX_ - begun->len;
		size_t n = len < room ? len : room;
		const char *end = memchr(bytes, '\n', n);

		if (end == NULL && n < room) {
			buf_add(begun, bytes, n);
			return;
		}
		if (end != NULL)
			n = (size_t)(end - bytes);
		put_line(m, stream, begun, bytes, n);
		buf_reset(begun);
		bytes += n + (end != NULL);
		len -= n + (end != NULL);
	}
}

static void
lines_ended(struct fan *f, struct fan_member *m)
{
	(void)f;
	for (int i = 0; m->text != NULL && i < 2; i++)
		if (m->text->lines[i].len > 0)
			put_line(m, i, &m->text->lines[i], "", 0);
}

const struct fan_out fan_out_lines = { lines_record, lines_ended };

/* ---- in one piece ------------------------------------------------------------- */

static void
group_record(struct fan *f, struct fan_member *m, json_t *record, int stream,
    const char *bytes, size_t len)
{
	(void)f;
	(void)record;
	if (stream >= 0)
		spill_add(text_of(m, true)->held[stream], bytes, len);
}

static void
group_ended(struct fan *f, struct fan_member *m)
{
	char heading[NAME_CELL + 128];
	int n = snprintf(heading, sizeof heading, "== %s: %s%s%s%s\n",
	    shown_name(m), fan_outcome(f, m),
	    m->state == FAN_FAILED ? " (" : "",
	    m->state == FAN_FAILED ? m->why : "",
	    m->state == FAN_FAILED ? ")" : "");

	emit(STDOUT_FILENO, heading, (size_t)n);
	for (int i = 0; m->text != NULL && i < 2; i++) {
		struct spill *held = m->text->held[i];

		spill_emit(held, i == 0 ? STDOUT_FILENO : STDERR_FILENO);
		if (spill_lost(held) > 0)
			fan_say(f,
			    "%s: the last %llu bytes of its %s had no "
			    "room",
			    m->agent, (unsigned long long)spill_lost(held),
			    i == 0 ? "stdout" : "stderr");
	}
}

const struct fan_out fan_out_group = { group_record, group_ended };

/* ---- JSON ----------------------------------------------------------------------- */

static void
json_record(struct fan *f, struct fan_member *m, json_t *record, int stream,
    const char *bytes, size_t len)
{
	json_t *o = json_copy(record);

	(void)bytes;
	(void)stream;
	(void)len;
	if (js_get(o, "agent") != NULL) /* "away" or "back" */
		json_object_set(o, "link", js_get(o, "agent"));
	json_object_set_new(o, "agent", json_string(m->agent));
	if (f->runs)
		f->ask->out->record(o);
	json_decref(o);
}

static void
json_ended(struct fan *f, struct fan_member *m)
{
	json_t *o = fan_member_json(f, m);

	f->ask->out->object(o);
	json_decref(o);
}

const struct fan_out fan_out_json = { json_record, json_ended };

/* ---- receipts -------------------------------------------------------------------- */

static void
no_record(struct fan *f, struct fan_member *m, json_t *record, int stream,
    const char *bytes, size_t len)
{
	(void)f;
	(void)m;
	(void)record;
	(void)stream;
	(void)bytes;
	(void)len;
}

static void
receipt_ended(struct fan *f, struct fan_member *m)
{
	(void)f;
	if (m->result == NULL)
		return;
	printf("%s %s\n", shown_name(m), m->id);
	fflush(stdout);
}

const struct fan_out fan_out_receipts = { no_record, receipt_ended };
