#include "ewsagent/post.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* An end on its way to a hub that confirms nothing: having left must do. */
struct leaving {
	uint64_t tag;
	char *id;
	UT_hash_handle hh;
};

struct post {
	struct outbox *outbox;
	struct link *link;
	struct poll *poll;
	struct work *work;
	struct leaving *leaving;
	uint64_t tags;
	size_t window;
	bool beginning; /* work_resend is telling: gather first */
};

struct post *
post_new(struct outbox *outbox, size_t output_window)
{
	struct post *p = mem_alloc(sizeof *p);

	p->outbox = outbox;
	p->window = output_window;
	return p;
}

void
post_connect(
    struct post *p, struct link *link, struct poll *poll, struct work *work)
{
	p->link = link;
	p->poll = poll;
	p->work = work;
}

static void
forget(struct post *p, struct leaving *l)
{
	HASH_DEL(p->leaving, l);
	free(l->id);
	free(l);
}

static void
forget_all(struct post *p)
{
	struct leaving *l, *next;

	HASH_ITER (hh, p->leaving, l, next)
		forget(p, l);
}

void
post_free(struct post *p)
{
	if (p == NULL)
		return;
	forget_all(p);
	free(p);
}

static uint64_t
remember(struct post *p, const char *id)
{
	struct leaving *l = mem_alloc(sizeof *l);

	l->tag = ++p->tags;
	l->id = mem_dup(id);
	HASH_ADD(hh, p->leaving, tag, sizeof l->tag, l);
	return l->tag;
}

void
post_written(struct post *p, uint64_t tag)
{
	struct leaving *l;
	char *id;

	HASH_FIND(hh, p->leaving, &tag, sizeof tag, l);
	if (l == NULL)
		return;
	id = l->id;
	l->id = NULL;
	forget(p, l);
	work_confirmed(p->work, id);
	free(id);
}

/* False: no room in the link. */
static bool
hand_over(struct post *p, const struct outbox_item *item)
{
	bool vouch = item->kind == OUTBOX_END && !link_v1(p->link);
	uint64_t tag = vouch ? remember(p, item->id) : 0;
	struct leaving *l;

	if (link_send(p->link, item->text, item->len, OUTQ_CONTROL, tag)) {
		log_info("📤 SENDING COMMAND ACK via WebSocket");
		return true;
	}
	HASH_FIND(hh, p->leaving, &tag, sizeof tag, l);
	if (l != NULL)
		forget(p, l);
	return false;
}

void
post_pump(struct post *p)
{
	struct outbox_item *item;

	if (p->beginning)
		return;
	if (!link_usable(p->link)) {
		if (poll_on(p->poll) && outbox_next(p->outbox) != NULL)
			poll_kick(p->poll);
	} else {
		while ((item = outbox_next(p->outbox)) != NULL &&
		       hand_over(p, item))
			outbox_remove(p->outbox, item);
	}
	if (outbox_count(p->outbox) == 0 && outbox_owes(p->outbox))
		work_room(p->work);
}

void
post_begin(struct post *p)
{
	outbox_clear(p->outbox);
	forget_all(p);
	p->beginning = true;
	work_resend(p->work);
	p->beginning = false;
	post_pump(p);
	work_room(p->work);
}

static char *
frame_of(const char *type, const json_t *data, size_t *len)
{
	json_t *frame = json_pack("{s:s, s:O}", "type", type, "data", data);
	char *text = js_write(frame);

	json_decref(frame);
	*len = text != NULL ? strlen(text) : 0;
	return text;
}

static bool
has_way(const struct post *p)
{
	return p->beginning || link_usable(p->link) || poll_on(p->poll);
}

/* Without any way up ends are safe in the ledger already. */
static bool
put(struct post *p, enum outbox_kind kind, const char *type, const json_t *data)
{
	const char *id = js_str(data, "command_id");
	size_t len;
	char *text;
	bool kept;

	if (id == NULL || !has_way(p))
		return false;
	text = frame_of(type, data, &len);
	kept = text != NULL && outbox_put(p->outbox, kind, id, text, len);
	post_pump(p);
	return kept;
}

bool
post_ack(struct post *p, enum work_ack kind, const json_t *data)
{
	static const enum outbox_kind kinds[] = {
		[WORK_STEP] = OUTBOX_STEP,
		[WORK_STORED] = OUTBOX_STORED,
		[WORK_END] = OUTBOX_END,
	};

	return put(p, kinds[kind], "command_ack", data);
}

/* A hub that does not know ews.v1 gave no input. */
bool
post_input_ack(struct post *p, const json_t *data)
{
	if (link_usable(p->link) ? !link_v1(p->link) : !poll_v1(p->poll))
		return false;
	return put(p, OUTBOX_STEP, "input_ack", data);
}

static bool
by_poll(struct post *p, const json_t *data)
{
	size_t len;
	char *text;

	if (!poll_v1(p->poll) || !outbox_has_room(p->outbox, 0))
		return false;
	text = frame_of("output", data, &len);
	if (text == NULL || !outbox_has_room(p->outbox, len)) {
		free(text);
		return false;
	}
	outbox_put(
	    p->outbox, OUTBOX_OUTPUT, js_str(data, "command_id"), text, len);
	post_pump(p);
	return true;
}

bool
post_output(struct post *p, const json_t *data)
{
	size_t len;
	char *text;
	bool sent;

	if (p->beginning)
		return false;
	if (!link_usable(p->link))
		return by_poll(p, data);
	if (!link_v1(p->link) || link_queued(p->link) > p->window)
		return false;
	text = frame_of("output", data, &len);
	sent = text != NULL && link_send(p->link, text, len, OUTQ_DATA, 0);
	free(text);
	return sent;
}

bool
post_idle(const struct post *p)
{
	return outbox_count(p->outbox) == 0 && link_queued(p->link) == 0;
}
