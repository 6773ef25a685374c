/*
 * tags - words by which agents are chosen: their own, and those given here
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/core_priv.h"
#include "lib/exit.h"
#include "lib/json.h"

bool
tag_ok(const char *s)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.:-");

	return s[len] == '\0' && len >= 1 && len <= TAG_MAX;
}

/* Where it is, or would be, in a sorted array. */
static size_t
place_of(const json_t *tags, const char *tag, bool *there)
{
	size_t i = 0, n = json_array_size(tags);
	int order = 1;

	while (
	    i < n && (order = strcmp(
			  json_string_value(json_array_get(tags, i)), tag)) < 0)
		i++;
	*there = i < n && order == 0;
	return i;
}

static void
put(json_t *tags, const char *tag)
{
	bool there;
	size_t i = place_of(tags, tag, &there);

	if (!there)
		json_array_insert_new(tags, i, json_string(tag));
}

static void
take(json_t *tags, const char *tag)
{
	bool there;
	size_t i = place_of(tags, tag, &there);

	if (there)
		json_array_remove(tags, i);
}

/* What of its hello has the form; the rest is passed over. */
json_t *
agent_tags_own(const struct agent *a)
{
	const json_t *said = js_get(a->about, "tags"), *item;
	json_t *own = json_array();
	size_t i;

	json_array_foreach(said, i, item)
	{
		const char *tag = json_string_value(item);

		if (tag != NULL && tag_ok(tag) &&
		    json_array_size(own) < TAGS_MAX)
			put(own, tag);
	}
	return own;
}

json_t *
agent_tags(const struct agent *a)
{
	json_t *all = agent_tags_own(a), *item;
	size_t i;

	json_array_foreach(a->tags, i, item) put(all, json_string_value(item));
	return all;
}

/* ---- changing ----------------------------------------------------------- */

static bool
words_ok(const json_t *words, const char *key, struct err *err)
{
	const json_t *item;
	size_t i;

	/* before they are sorted in one by one: a line has room for many */
	if (json_array_size(words) > TAGS_MAX) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "%s: at most %d tags at a time", key, TAGS_MAX);
		return false;
	}
	json_array_foreach(words, i, item)
	{
		if (json_is_string(item) && tag_ok(json_string_value(item)))
			continue;
		err_set(err, EXIT_DATA, "bad_argument",
		    "%s: a tag is 1 to %d of a-z, 0-9, \"_\", \".\", \":\", "
		    "\"-\"",
		    key, TAG_MAX);
		return false;
	}
	return true;
}

static bool
not_own(const struct agent *a, const json_t *remove, struct err *err)
{
	json_t *own = agent_tags_own(a), *item;
	bool ok = true, there;
	size_t i;

	json_array_foreach(remove, i, item)
	{
		const char *tag = json_string_value(item);

		place_of(own, tag, &there);
		place_of(a->tags, tag, &ok);
		ok = ok || !there;
		if (ok)
			continue;
		err_set(err, EXIT_DATA, "bad_argument",
		    "remove: %s is a tag of the agent's own: only its "
		    "configuration can change that",
		    tag);
		break;
	}
	json_decref(own);
	return ok;
}

static json_t *
changed(const struct agent *a, const json_t *add, const json_t *remove)
{
	json_t *tags = a->tags != NULL ? json_copy(a->tags) : json_array();
	json_t *item;
	size_t i;

	json_array_foreach(remove, i, item) take(tags, json_string_value(item));
	json_array_foreach(add, i, item) put(tags, json_string_value(item));
	return tags;
}

static bool
save(struct agent *a, const json_t *tags, store_done_fn *done, void *arg)
{
	char *text = js_write(tags);
	struct store_agent sa = { .id = a->id,
		.tags = text,
		.first_ms = a->first_ms,
		.last_ms = a->last_ms };
	bool ok =
	    text != NULL && store_agent(a->core->config.store, &sa, done, arg);

	free(text);
	return ok;
}

bool
agent_tag(struct agent *a, const json_t *add, const json_t *remove,
    store_done_fn *done, void *arg, struct err *err)
{
	json_t *tags;

	if (!words_ok(add, "add", err) || !words_ok(remove, "remove", err) ||
	    !not_own(a, remove, err))
		return false;
	tags = changed(a, add, remove);
	if (json_array_size(tags) > TAGS_MAX)
		err_set(err, EXIT_DATA, "bad_argument",
		    "add: an agent can be given %d tags", TAGS_MAX);
	else if (!save(a, tags, done, arg))
		err_set(
		    err, EXIT_RETRY, "too_many", "too much waits for the disk");
	else {
		json_decref(a->tags);
		a->tags = tags;
		return true;
	}
	json_decref(tags);
	return false;
}
