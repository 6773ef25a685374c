#include "ewsagent/handlers_conf.h"

#include <stdlib.h>
#include <string.h>

#include "ewsagent/handlers.h"
#include "ewsagent/handlers_conf_priv.h"
#include "ewsagent/job.h"
#include "ewsagent/run.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/str.h"

enum { FILE_MAX = 1 << 20, CONCURRENCY_MAX = 1024, PROBE_MS = 60000 };
#define OUTPUT_MAX (INT64_C(1) << 40)

static const char *const keys[RULES] = { "deadline", "grace", "output_max",
	"concurrency", "policy" };
static const char *const policies[] = { "once", "idempotent", "probe" };

const struct handler_rules handlers_conf_none = { POLICY_ONCE, -1, -1, -1, 0 };

struct section *
handlers_conf_section(const struct handlers_conf *c, const char *name)
{
	struct section *s;

	HASH_FIND(hh, c->sections, name, strlen(name), s);
	return s;
}

enum rule
handlers_conf_rule(const char *word)
{
	int i = 0;

	while (i < RULES && !str_eq(word, keys[i]))
		i++;
	return (enum rule)i;
}

static bool
number_of(const char *text, uint64_t max, int64_t *out, bool size)
{
	uint64_t n;

	if (size ? !str_size(text, &n) || n > max : !str_u64(text, 1, max, &n))
		return false;
	*out = (int64_t)n;
	return true;
}

static bool
span_of(const char *text, int64_t min, int64_t max, int64_t *out)
{
	int64_t ms;

	if (!clock_span(text, 1000, &ms) || ms < min || ms > max)
		return false;
	*out = ms;
	return true;
}

static bool
policy_of(const char *text, enum handler_policy *out)
{
	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
		if (str_eq(text, policies[i])) {
			*out = (enum handler_policy)i;
			return true;
		}
	}
	return false;
}

bool
handlers_conf_set(struct handler_rules *rules, enum rule key, const char *text)
{
	int64_t n = 0;

	switch (key) {
	case RULE_DEADLINE:
		return span_of(
		    text, 1, JOB_DEADLINE_MAX_MS, &rules->deadline_ms);
	case RULE_GRACE:
		return span_of(text, 0, RUN_GRACE_MAX_MS, &rules->grace_ms);
	case RULE_OUTPUT:
		return number_of(text, OUTPUT_MAX, &rules->output_max, true);
	case RULE_CONCURRENCY:
		if (!number_of(text, CONCURRENCY_MAX, &n, false))
			return false;
		rules->concurrency = (unsigned)n;
		return true;
	default:
		return policy_of(text, &rules->policy);
	}
}

const char *
handlers_conf_allowed(enum rule key)
{
	switch (key) {
	case RULE_DEADLINE:
		return "deadline: a time from 1ms to 365d";
	case RULE_GRACE:
		return "grace: a time from 0 to 10m";
	case RULE_OUTPUT:
		return "output_max: a size from 0 to 1024G";
	case RULE_CONCURRENCY:
		return "concurrency: a number from 1 to 1024";
	default:
		return "policy: once, idempotent or probe";
	}
}

/* What a section does not say, [*] says; of a probe nobody else. */
static void
inherit(struct handlers_conf *c)
{
	struct section *s, *next;

	HASH_ITER (hh, c->sections, s, next) {
		if (str_ends(s->name, HANDLERS_PROBE)) {
			if (!s->set[RULE_DEADLINE])
				s->rules.deadline_ms = PROBE_MS;
			continue;
		}
		if (!s->set[RULE_DEADLINE])
			s->rules.deadline_ms = c->all.rules.deadline_ms;
		if (!s->set[RULE_GRACE])
			s->rules.grace_ms = c->all.rules.grace_ms;
		if (!s->set[RULE_OUTPUT])
			s->rules.output_max = c->all.rules.output_max;
		if (!s->set[RULE_CONCURRENCY])
			s->rules.concurrency = c->all.rules.concurrency;
		if (!s->set[RULE_POLICY])
			s->rules.policy = c->all.rules.policy;
	}
}

struct handlers_conf *
handlers_conf_load(
    const char *path, bool may_be_absent, const char *dir, struct err *err)
{
	struct handlers_conf *c = mem_alloc(sizeof *c);
	struct err local = ERR_INIT;
	bool absent, ok;
	size_t len;
	char *text = path_read_trusted(path, FILE_MAX, &len, &absent, &local);

	c->all.name = mem_dup("*");
	c->all.rules = c->probe = handlers_conf_none;
	c->probe.deadline_ms = PROBE_MS;
	ok = text == NULL ? absent && may_be_absent
			  : handlers_conf_read(c, path, text, len, dir, &local);
	free(text);
	if (ok) {
		inherit(c);
		return c;
	}
	if (err != NULL && !err_isset(err))
		*err = local;
	handlers_conf_free(c);
	return NULL;
}

void
handlers_conf_free(struct handlers_conf *c)
{
	struct section *s, *next;

	if (c == NULL)
		return;
	HASH_ITER (hh, c->sections, s, next) {
		HASH_DEL(c->sections, s);
		free(s->name);
		free(s);
	}
	free(c->all.name);
	free(c);
}

const struct handler_rules *
handlers_conf_find(const struct handlers_conf *c, const char *name)
{
	const struct section *s = handlers_conf_section(c, name);

	if (s != NULL)
		return &s->rules;
	return str_ends(name, HANDLERS_PROBE) ? &c->probe : &c->all.rules;
}

json_t *
handlers_conf_policies(const struct handlers_conf *c)
{
	json_t *o = json_object();
	struct section *s, *next;

	HASH_ITER (hh, c->sections, s, next) {
		if (!str_ends(s->name, HANDLERS_PROBE))
			json_object_set_new(
			    o, s->name, json_string(policies[s->rules.policy]));
	}
	return o;
}
