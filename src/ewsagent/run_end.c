#include "ewsagent/run_end.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"

static const char *const words[] = { "self", "timeout", "cancelled" };

const char *
run_why_word(enum run_why why)
{
	return words[why];
}

bool
run_why_from(const char *word, enum run_why *why)
{
	for (int i = RUN_SELF; i <= RUN_CANCELLED; i++) {
		if (!str_eq(word, words[i]))
			continue;
		*why = (enum run_why)i;
		return true;
	}
	return false;
}

/* "-" for no tail, so that a line always has its words. */
static char *
stream_text(const struct run_stream *s)
{
	char *tail =
	    s->tail_len > 0 ? str_b64(s->tail, s->tail_len) : mem_dup("-");
	char *text = mem_printf("%" PRIu64 " %" PRIu64 " %s %s", s->bytes,
	    s->kept, s->digest, tail);

	free(tail);
	return text;
}

char *
run_end_text(const struct run_end *e)
{
	char *out = stream_text(&e->streams[0]);
	char *err = stream_text(&e->streams[1]);
	char *text = mem_printf("ews-end 1\nwhy %s\ncode %d\nsignal %d\n"
				"started %" PRId64 "\nended %" PRId64
				"\nduration %" PRId64 "\nout %s\nerr %s\n",
	    run_why_word(e->why), e->code, e->signal, e->started_ms,
	    e->ended_ms, e->duration_ms, out, err);

	free(out);
	free(err);
	return text;
}

static bool
take_stream(struct run_stream *s, char *value)
{
	char *save, *bytes = strtok_r(value, " ", &save);
	char *kept = strtok_r(NULL, " ", &save);
	char *digest = strtok_r(NULL, " ", &save);
	char *tail = strtok_r(NULL, " ", &save);

	if (tail == NULL || !str_u64(bytes, 0, UINT64_MAX, &s->bytes) ||
	    !str_u64(kept, 0, s->bytes, &s->kept) ||
	    strlen(digest) != RUN_DIGEST_SIZE - 1)
		return false;
	str_copy(s->digest, sizeof s->digest, digest);
	s->tail_len = 0;
	return str_eq(tail, "-") ||
	       str_unb64(s->tail, sizeof s->tail, tail, &s->tail_len);
}

static bool
take_number(const char *value, int64_t *out)
{
	uint64_t n;

	if (str_eq(value, "-1")) {
		*out = -1;
		return true;
	}
	if (!str_u64(value, 0, INT64_MAX, &n))
		return false;
	*out = (int64_t)n;
	return true;
}

static bool
take(struct run_end *e, const char *key, char *value)
{
	int64_t n = 0;
	bool ok;

	if (str_eq(key, "why"))
		return run_why_from(value, &e->why);
	if (str_eq(key, "out"))
		return take_stream(&e->streams[0], value);
	if (str_eq(key, "err"))
		return take_stream(&e->streams[1], value);
	ok = take_number(value, &n);
	if (str_eq(key, "code"))
		e->code = (int)n;
	else if (str_eq(key, "signal"))
		e->signal = (int)n;
	else if (str_eq(key, "started"))
		e->started_ms = n;
	else if (str_eq(key, "ended"))
		e->ended_ms = n;
	else if (str_eq(key, "duration"))
		e->duration_ms = n;
	else
		return true; /* of a newer shim */
	return ok;
}

bool
run_end_parse(struct run_end *e, char *text)
{
	char *save, *line = strtok_r(text, "\n", &save);
	bool out = false, err = false;

	memset(e, 0, sizeof *e);
	if (!str_eq(line, "ews-end 1"))
		return false;
	while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
		char *value = strchr(line, ' ');

		if (value == NULL)
			return false;
		*value++ = '\0';
		if (!take(e, line, value))
			return false;
		out |= str_eq(line, "out");
		err |= str_eq(line, "err");
	}
	return out && err;
}
