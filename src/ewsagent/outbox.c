#include "ewsagent/outbox.h"

#include <stdlib.h>
#include <utlist.h>

#include "lib/mem.h"
#include "lib/str.h"

struct outbox {
	struct outbox_item *items;
	size_t count, max_items;
	size_t output_bytes, max_output_bytes, end_bytes;
	bool owes;
};

struct outbox *
outbox_new(size_t max_items, size_t max_output_bytes)
{
	struct outbox *b = mem_alloc(sizeof *b);

	b->max_items = max_items;
	b->max_output_bytes = max_output_bytes;
	return b;
}

void
outbox_remove(struct outbox *b, struct outbox_item *item)
{
	DL_DELETE(b->items, item);
	b->count--;
	if (item->kind == OUTBOX_OUTPUT)
		b->output_bytes -= item->len;
	if (item->kind == OUTBOX_END)
		b->end_bytes -= item->len;
	free(item->id);
	free(item->text);
	free(item);
}

bool
outbox_has_room(const struct outbox *b, size_t len)
{
	if (b->count >= b->max_items)
		return false;
	/* one chunk always fits, whatever its size */
	return b->output_bytes == 0 ||
	       b->output_bytes + len <= b->max_output_bytes;
}

static bool
make_room_for_end(struct outbox *b, size_t len)
{
	struct outbox_item *item;

	if (b->end_bytes > 0 && b->end_bytes + len > OUTBOX_ENDS_MAX) {
		b->owes = true;
		return false;
	}
	if (b->count < b->max_items)
		return true;
	DL_FOREACH (b->items, item) {
		if (item->kind == OUTBOX_STEP && item->batch == 0) {
			outbox_remove(b, item);
			return true;
		}
	}
	b->owes = true;
	return false;
}

static bool
may_enter(struct outbox *b, enum outbox_kind kind, size_t len)
{
	switch (kind) {
	case OUTBOX_END:
		return make_room_for_end(b, len);
	case OUTBOX_OUTPUT:
		return outbox_has_room(b, len);
	default:
		return b->count < b->max_items;
	}
}

/* What was said of an end before and has not left, the newer one replaces:
 * of two that come, a hub would believe the first. */
static void
remove_older_end(struct outbox *b, const char *id)
{
	struct outbox_item *item;

	DL_FOREACH (b->items, item) {
		if (item->kind == OUTBOX_END && item->batch == 0 &&
		    str_eq(item->id, id)) {
			outbox_remove(b, item);
			return;
		}
	}
}

bool
outbox_put(struct outbox *b, enum outbox_kind kind, const char *id, char *text,
    size_t len)
{
	struct outbox_item *item;

	if (kind == OUTBOX_END)
		remove_older_end(b, id);
	if (!may_enter(b, kind, len)) {
		free(text);
		return false;
	}
	item = mem_alloc(sizeof *item);
	item->kind = kind;
	item->id = mem_dup(id);
	item->text = text;
	item->len = len;
	DL_APPEND(b->items, item);
	b->count++;
	if (kind == OUTBOX_OUTPUT)
		b->output_bytes += len;
	if (kind == OUTBOX_END)
		b->end_bytes += len;
	return true;
}

struct outbox_item *
outbox_next(const struct outbox *b)
{
	struct outbox_item *item;

	DL_FOREACH (b->items, item)
		if (item->batch == 0)
			return item;
	return NULL;
}

size_t
outbox_lend(struct outbox *b, unsigned batch, size_t max_bytes, outbox_fn *fn,
    void *arg)
{
	struct outbox_item *item;
	size_t n = 0, bytes = 0;

	DL_FOREACH (b->items, item) {
		if (item->batch != 0)
			continue;
		if (n > 0 && bytes + item->len > max_bytes)
			break;
		item->batch = batch;
		bytes += item->len;
		n++;
		fn(arg, item);
	}
	return n;
}

static bool
has_newer_end(const struct outbox_item *item)
{
	const struct outbox_item *i;

	for (i = item->next; i != NULL; i = i->next)
		if (i->kind == OUTBOX_END && str_eq(i->id, item->id))
			return true;
	return false;
}

void
outbox_settle(struct outbox *b, unsigned batch, bool arrived)
{
	struct outbox_item *item, *next;

	DL_FOREACH_SAFE (b->items, item, next) {
		if (item->batch != batch)
			continue;
		item->batch = 0;
		if (arrived ||
		    (item->kind == OUTBOX_END && has_newer_end(item)))
			outbox_remove(b, item);
	}
}

void
outbox_clear(struct outbox *b)
{
	while (b->items != NULL)
		outbox_remove(b, b->items);
	b->owes = false;
}

void
outbox_free(struct outbox *b)
{
	if (b == NULL)
		return;
	outbox_clear(b);
	free(b);
}

bool
outbox_owes(struct outbox *b)
{
	bool owes = b->owes;

	b->owes = false;
	return owes;
}

size_t
outbox_count(const struct outbox *b)
{
	return b->count;
}
