#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ewsagent/handlers.h"
#include "ewsagent/handlers_conf_priv.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/str.h"

/* The parser gets its lines one by one, judged by us: it would cut long
 * ones, join indented ones, and not tell their numbers. */
struct reading {
	struct handlers_conf *conf;
	const char *path, *dir;
	const char *at, *end;
	int line, failed;
	struct section *section; /* the one we are in */
	struct err *err;
};

static bool __attribute__((format(printf, 3, 4)))
fail(struct reading *r, int line, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	if (r->failed != 0)
		return false;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	err_set(
	    r->err, EXIT_CONFIG, "config", "%s:%d: %s", r->path, line, text);
	r->failed = line;
	return false;
}

static bool
is_there(const char *dir, const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	return path_join(path, dir, name, NULL) && lstat(path, &st) == 0;
}

static bool
set(struct reading *r, const char *word, const char *value)
{
	struct section *s = r->section;
	enum rule key = handlers_conf_rule(word);

	if (key == RULES)
		return fail(r, r->line, "unknown key \"%s\"", log_q(word));
	if (s->set[key])
		return fail(r, r->line, "\"%s\" was set already", word);
	if (str_ends(s->name, HANDLERS_PROBE) && key != RULE_DEADLINE &&
	    key != RULE_GRACE)
		return fail(r, r->line,
		    "a probe has a deadline and a grace, and no %s", word);
	if (!handlers_conf_set(&s->rules, key, value))
		return fail(r, r->line, "%s, not \"%s\"",
		    handlers_conf_allowed(key), log_q(value));
	if (s == &r->conf->all && key == RULE_POLICY &&
	    s->rules.policy == POLICY_PROBE)
		return fail(r, r->line, "policy probe is for one handler");
	s->set[key] = true;
	return true;
}

static bool
open_section(struct reading *r, const char *name)
{
	struct handlers_conf *conf = r->conf;
	struct section *s = handlers_conf_section(conf, name);

	if (str_eq(name, "*"))
		s = &conf->all;
	if (s == NULL && (!id_handler_ok(name) || !is_there(r->dir, name)))
		return fail(r, r->line,
		    "[%s]: there is no handler of this name", log_q(name));
	if (s == NULL) {
		s = mem_alloc(sizeof *s);
		s->name = mem_dup(name);
		s->rules = handlers_conf_none;
		s->line = r->line;
		/* NOLINTNEXTLINE(*-core.NullDereference): conf is there */
		HASH_ADD_KEYPTR(
		    hh, conf->sections, s->name, strlen(s->name), s);
	}
	r->section = s;
	return true;
}

static void
cut_comment(char *value)
{
	char *p = value;

	while ((p = strchr(p, '#')) != NULL) {
		if (p == value || p[-1] == ' ' || p[-1] == '\t') {
			while (p > value && (p[-1] == ' ' || p[-1] == '\t'))
				p--;
			*p = '\0';
			return;
		}
		p++;
	}
}

static int
on_pair(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *r = arg;
	char *text;

	(void)section; /* cut at the parser's limit: ours is whole */
	if (r->failed != 0)
		return 0;
	if (r->section == NULL)
		return fail(r, r->line, "a section comes first: [*] or [NAME]");
	text = mem_dup(value);
	cut_comment(text);
	set(r, key, text);
	free(text);
	return r->failed == 0;
}

static const char *
unfit(const char *line, size_t len, size_t room)
{
	if (memchr(line, '\0', len) != NULL)
		return "has a NUL byte";
	if (len > room)
		return "the line is too long";
	if (!str_utf8(line, len, false))
		return "is not UTF-8";
	return NULL;
}

/* A section without a key is judged, too. */
static void
look_at_section(struct reading *r, const char *line, size_t len)
{
	const char *close = memchr(line, ']', len);
	char *name;

	if (len == 0 || *line != '[' || close == NULL)
		return;
	name = mem_dupn(line + 1, (size_t)(close - line - 1));
	open_section(r, name);
	free(name);
}

/* As fgets: the parser asks for its next line. */
static char *
next_line(char *out, int size, void *arg)
{
	struct reading *r = arg;
	const char *line = r->at, *newline, *why;
	size_t len;

	if (r->failed != 0 || r->at == r->end)
		return NULL;
	newline = memchr(line, '\n', (size_t)(r->end - line));
	len = (size_t)((newline != NULL ? newline : r->end) - line);
	r->at = newline != NULL ? newline + 1 : r->end;
	r->line++;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	why = unfit(line, len, (size_t)size - 2);
	if (why != NULL)
		fail(r, r->line, "%s", why);
	else
		look_at_section(r, line, len);
	if (r->failed != 0)
		return NULL;
	memcpy(out, line, len);
	memcpy(out + len, "\n", 2);
	return out;
}

/* After the last line: what needs all of them. */
static bool
judge(struct reading *r)
{
	char probe[ID_NAME_MAX];
	struct section *s, *next;

	HASH_ITER (hh, r->conf->sections, s, next) {
		if (s->rules.policy != POLICY_PROBE)
			continue;
		snprintf(probe, sizeof probe, "%s" HANDLERS_PROBE, s->name);
		if (!is_there(r->dir, probe))
			return fail(r, s->line,
			    "policy probe: there is no handler %s", probe);
	}
	return true;
}

static bool
parse(struct reading *r)
{
	int line = ini_parse_stream(next_line, r, on_pair, r);

	if (line > 0)
		return fail(r, line, "neither [NAME] nor KEY = VALUE");
	if (line < 0)
		return fail(r, 1, "no memory to read it");
	return r->failed == 0 && judge(r);
}

bool
handlers_conf_read(struct handlers_conf *c, const char *path, const char *text,
    size_t len, const char *dir, struct err *err)
{
	struct reading r = {
		.conf = c,
		.path = path,
		.dir = dir,
		.at = text,
		.end = text + len,
		.err = err,
	};

	return parse(&r);
}
