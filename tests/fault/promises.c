#include "promises.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ewsd/store/store.h"

/* ---- what was said ---------------------------------------------------- */

static void
take_answer(struct promises *p)
{
	int id = 0;

	if (sscanf(p->line, "{\"id\":%d,\"ok\":true,", &id) != 1)
		return;
	if (id > CANCEL_ID && id < CANCEL_ID + COMMANDS_MAX)
		p->cancelled[id - CANCEL_ID] = true;
	else if (id > SEND_ID && id < SEND_ID + COMMANDS_MAX)
		p->accepted[id - SEND_ID] = true;
	else
		return;
	p->n++;
}

void
promises_feed(struct promises *p, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n' && p->len < sizeof p->line - 1) {
			p->line[p->len++] = bytes[i];
			continue;
		}
		p->line[p->len] = '\0';
		p->len = 0;
		if (strstr(p->line, "\"ok\":true,") != NULL)
			take_answer(p);
	}
}

void
promises_print(const struct promises *p, FILE *out)
{
	for (int k = 1; k < COMMANDS_MAX; k++) {
		if (p->cancelled[k])
			fprintf(out, "-c%d\n", k);
		else if (p->accepted[k])
			fprintf(out, "c%d\n", k);
	}
}

/* ---- what is there ---------------------------------------------------- */

struct found {
	enum { ABSENT, WRONG, ALIVE, CANCELLED } state[COMMANDS_MAX];
};

static void
on_alive(void *arg, const struct store_command *c)
{
	struct found *f = arg;
	char payload[COMMAND_PAYLOAD];
	int k = command_number(c->id);
	size_t len = command_payload(payload, k);

	if (c->state == CMD_DEAD || c->payload == NULL ||
	    c->payload_len != len || memcmp(c->payload, payload, len) != 0)
		f->state[k] = WRONG;
	else
		f->state[k] = ALIVE;
}

static void
on_list(void *arg, const struct store_command *list, size_t n,
    const struct err *err)
{
	struct found *f = arg;

	for (size_t i = 0; err == NULL && i < n; i++)
		if (list[i].state == CMD_CANCELLED)
			f->state[command_number(list[i].id)] = CANCELLED;
}

static void
nothing(void *arg)
{
	(void)arg;
}

static bool
look(struct found *f, const char *dir, struct err *err)
{
	char path[PATH_MAX];
	struct store_config cfg = {
		.path = path, .max_jobs = 1000, .wake = nothing
	};
	struct store_filter all = { .states = 1u << CMD_CANCELLED,
		.limit = COMMANDS_MAX };
	struct store *s;
	bool ok;

	snprintf(path, sizeof path, "%s/ews.db", dir);
	s = store_open(&cfg, err);
	if (s == NULL)
		return false;
	ok = store_load(s, on_alive, f, err) &&
	     store_list(s, &all, on_list, f, err);
	store_close(s);
	return ok;
}

static bool
broken(const struct promises *p, const struct found *f, int k)
{
	if (p->cancelled[k])
		return f->state[k] != CANCELLED;
	if (!p->accepted[k])
		return false;
	return f->state[k] == ABSENT || f->state[k] == WRONG;
}

size_t
promises_broken(const struct promises *p, const char *dir, bool tell)
{
	struct found *f = calloc(1, sizeof *f);
	struct err err = ERR_INIT;
	size_t n = 0;

	if (f == NULL || !look(f, dir, &err)) {
		if (tell)
			fprintf(stderr, "does not open: %s\n", err.text);
		free(f);
		return p->n > 0 ? p->n : 1;
	}
	for (int k = 1; k < COMMANDS_MAX; k++) {
		if (!broken(p, f, k))
			continue;
		n++;
		if (tell)
			fprintf(stderr, "c%d is %s\n", k,
			    f->state[k] == ABSENT  ? "lost"
			    : f->state[k] == WRONG ? "damaged"
						   : "not cancelled");
	}
	free(f);
	return n;
}
