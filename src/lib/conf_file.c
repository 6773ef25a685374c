#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf_priv.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/str.h"

enum { FILE_MAX = 1 << 20 };

/*
 * One reading. The parser cuts lines that are longer than its buffer, joins
 * indented ones, stops at NUL and does not tell line numbers: so it gets
 * its lines one by one, judged by us.
 */
struct reading {
	struct conf *conf;
	struct conf_from from; /* line: the one the parser is at */
	const char *at, *end;
	int *lines; /* of the first value of each setting; 0: none yet */
	int failed; /* the line of the error in 'err', 0: none */
	struct err *err;
};

static void
fail(struct reading *r, const char *why)
{
	conf_fail(&r->from, r->err, "%s", why);
	r->failed = r->from.line;
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
	if (len > 0 && *line == '[')
		return "sections are not used here: only KEY = VALUE";
	return NULL;
}

/* As fgets: the parser asks for its next line. */
static char *
next_line(char *out, int size, void *arg)
{
	struct reading *r = arg;
	const char *line = r->at, *newline, *why;
	size_t len, indent;

	if (r->failed || r->at == r->end)
		return NULL;
	newline = memchr(line, '\n', (size_t)(r->end - line));
	len = (size_t)((newline != NULL ? newline : r->end) - line);
	r->at = newline != NULL ? newline + 1 : r->end;
	r->from.line++;
	for (indent = 0; indent < len; indent++)
		if (line[indent] != ' ' && line[indent] != '\t')
			break;
	line += indent;
	len -= indent;
	why = unfit(line, len, (size_t)size - 2);
	if (why != NULL) {
		fail(r, why);
		return NULL;
	}
	memcpy(out, line, len);
	memcpy(out + len, "\n", 2);
	return out;
}

/* The parser knows " ;" comments only. */
static void
cut_comment(char *value)
{
	char *p = value;

	while ((p = strchr(p, '#')) != NULL) {
		if (p > value && (p[-1] == ' ' || p[-1] == '\t')) {
			while (p > value && (p[-1] == ' ' || p[-1] == '\t'))
				p--;
			*p = '\0';
			return;
		}
		p++;
	}
}

static bool
only_for_flags(const char *key)
{
	return str_eq(key, "config") || str_eq(key, "help") ||
	       str_eq(key, "version");
}

static bool
set(struct reading *r, const char *key, const char *text)
{
	struct conf *c = r->conf;
	size_t i = conf_find(c, key);
	char *value;
	bool ok;

	if (i == c->n || only_for_flags(key)) {
		conf_fail(&r->from, r->err, "unknown key \"%.60s\"", key);
		return false;
	}
	if (r->lines[i] != 0 && c->table[i].kind != CONF_LIST) {
		conf_fail(&r->from, r->err, "\"%s\" was set in line %d already",
		    key, r->lines[i]);
		return false;
	}
	r->lines[i] = r->from.line;
	value = mem_dup(text);
	cut_comment(value);
	ok = conf_set(c, i, value, &r->from, r->err);
	free(value);
	return ok;
}

static int
on_pair(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *r = arg;

	if (r->failed)
		return 0;
	if (*section != '\0')
		fail(r, "sections are not used here: only KEY = VALUE");
	else if (!set(r, key, value))
		r->failed = r->from.line;
	return !r->failed;
}

/* The parser tells the first line that it did not understand. */
static bool
parse(struct reading *r)
{
	int line = ini_parse_stream(next_line, r, on_pair, r);

	if (line > 0 && (r->failed == 0 || line < r->failed)) {
		err_clear(r->err);
		r->from.line = line;
		fail(r, "not KEY = VALUE");
	}
	if (line < 0) {
		r->from.line = 1;
		fail(r, "no memory to read it");
	}
	return r->failed == 0;
}

bool
conf_read_file(
    struct conf *c, const char *path, bool may_be_absent, struct err *err)
{
	struct err local = ERR_INIT;
	struct reading r = {
		.conf = c, .from = { CONF_FILE, path, 0 }, .err = &local
	};
	size_t len;
	bool absent, ok;
	char *text = path_read_trusted(path, FILE_MAX, &len, &absent, &local);

	if (text == NULL && absent && may_be_absent)
		return true;
	if (text != NULL) {
		r.at = text;
		r.end = text + len;
		r.lines = mem_alloc(c->n * sizeof *r.lines);
		ok = parse(&r);
		free(r.lines);
		free(text);
		if (ok)
			return true;
	}
	if (err != NULL && !err_isset(err))
		*err = local;
	return false;
}
