#include "lib/conf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf_priv.h"
#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/str.h"

static bool
same_key(const char *a, const char *b)
{
	for (; *a != '\0'; a++, b++)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	return *b == '\0';
}

size_t
conf_find(const struct conf *c, const char *key)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (same_key(c->table[i].key, key))
			break;
	return i;
}

void
conf_fail(const struct conf_from *from, struct err *err, const char *fmt, ...)
{
	bool flag = from->source == CONF_FLAG;
	struct err local = ERR_INIT;
	char why[ERR_TEXT_MAX];
	va_list ap;

	assert(from->source != CONF_DEFAULT); /* our own settings.def */
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	err_set(&local, flag ? EXIT_USAGE_ : EXIT_CONFIG,
	    flag ? "usage" : "config", "%s", why);
	if (from->source == CONF_FILE)
		err_prefix(&local, "%s:%d", from->name, from->line);
	else
		err_prefix(&local, "%s", from->name);
	if (err != NULL && !err_isset(err))
		*err = local;
}

static void
forget(struct conf_value *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		free(v->texts[i]);
	free(v->texts);
	free(v->name);
	memset(v, 0, sizeof *v);
}

static void
store(struct conf_value *v, const char *text, const struct conf_from *from)
{
	free(v->name);
	v->name = mem_dup(from->name);
	v->source = from->source;
	v->line = from->line;
	v->texts = mem_realloc(v->texts, (v->n + 1) * sizeof *v->texts);
	v->texts[v->n++] = mem_dup(text);
}

bool
conf_set(struct conf *c, size_t i, const char *text,
    const struct conf_from *from, struct err *err)
{
	const struct setting *s = &c->table[i];
	struct conf_value *v = &c->values[i];
	struct conf_checked checked;
	char why[160];

	if (!conf_check(s, text, &checked, why, sizeof why)) {
		if (from->source == CONF_FILE)
			conf_fail(from, err, "%s: %s", s->key, why);
		else
			conf_fail(from, err, "%s", why);
		return false;
	}
	if (v->source > from->source)
		return true;
	if (v->source < from->source || s->kind != CONF_LIST)
		forget(v);
	store(v, s->kind == CONF_WORD ? checked.word : text, from);
	v->number = checked.number;
	return true;
}

/* A LIST outside of flags and file: items stand apart by spaces. */
static bool
set_words(struct conf *c, size_t i, const char *text,
    const struct conf_from *from, struct err *err)
{
	static const char spaces[] = " \t\n";
	char *copy = mem_dup(text), *rest = NULL, *word;
	bool ok = true;

	for (word = strtok_r(copy, spaces, &rest); ok && word != NULL;
	     word = strtok_r(NULL, spaces, &rest))
		ok = conf_set(c, i, word, from, err);
	free(copy);
	return ok;
}

static bool
set_text(struct conf *c, size_t i, const char *text,
    const struct conf_from *from, struct err *err)
{
	if (c->table[i].kind == CONF_LIST)
		return set_words(c, i, text, from, err);
	return conf_set(c, i, text, from, err);
}

/* Gone from what children inherit and from what ps(1) shows. */
static void
remove_variable(const char *name)
{
	char *text = getenv(name);

	if (text == NULL)
		return;
	memset(text, 0, strlen(text));
	unsetenv(name);
}

/* The first that is set counts; all are removed. */
static bool
read_variables(struct conf *c, size_t i, bool judge, struct err *err)
{
	const struct setting *s = &c->table[i];
	char *names = mem_dup(s->env), *rest = NULL, *name;
	bool ok = true, seen = c->values[i].source > CONF_ENV || !judge;

	for (name = strtok_r(names, ",", &rest); name != NULL;
	     name = strtok_r(NULL, ",", &rest)) {
		struct conf_from from = { CONF_ENV, name, 0 };
		const char *text = getenv(name);

		if (text != NULL && !seen &&
		    (*text != '\0' || s->kind == CONF_STRING)) {
			seen = true;
			ok = set_text(c, i, text, &from, err);
		}
		remove_variable(name);
	}
	free(names);
	return ok;
}

/* All of them even after an error: the secrets must go. */
static bool
read_environment(struct conf *c, bool judge, struct err *err)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < c->n; i++)
		if (!read_variables(c, i, judge, err))
			ok = false;
	return ok;
}

static void
set_defaults(struct conf *c)
{
	static const struct conf_from from = { CONF_DEFAULT, "default", 0 };
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->values[i].source == CONF_UNSET &&
		    *c->table[i].def != '\0')
			set_text(c, i, c->table[i].def, &from, NULL);
}

static bool
read_config(struct conf *c, struct err *err)
{
	size_t i = conf_find(c, "config");
	const char *path;

	if (i == c->n)
		return true;
	if (c->values[i].source != CONF_UNSET)
		return conf_read_file(c, conf_str(c, i), false, err);
	path = c->table[i].def;
	return *path == '\0' || conf_read_file(c, path, true, err);
}

static bool
asks(const struct conf *c, const char *key)
{
	size_t i = conf_find(c, key);

	return i < c->n && c->table[i].kind == CONF_BOOL && conf_bool(c, i);
}

struct conf *
conf_load(const struct setting *table, size_t n, int *argc, char **argv,
    struct err *err)
{
	return conf_load_until(table, n, argc, argv, NULL, err);
}

struct conf *
conf_load_until(const struct setting *table, size_t n, int *argc, char **argv,
    conf_until_fn *until, struct err *err)
{
	struct conf *c = mem_alloc(sizeof *c);
	bool ok, judge;

	c->table = table;
	c->n = n;
	c->values = mem_alloc(n * sizeof *c->values);
	ok = conf_read_flags(c, argc, argv, until, err);
	judge = ok && !asks(c, "help") && !asks(c, "version");
	if (!read_environment(c, judge, err))
		ok = false;
	if (ok && judge)
		ok = read_config(c, err);
	if (!ok) {
		conf_free(c);
		return NULL;
	}
	set_defaults(c);
	return c;
}

void
conf_free(struct conf *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->n; i++)
		forget(&c->values[i]);
	free(c->values);
	free(c);
}

const char *
conf_str(const struct conf *c, size_t i)
{
	return conf_item(c, i, 0);
}

int64_t
conf_int(const struct conf *c, size_t i)
{
	return c->values[i].number;
}

bool
conf_bool(const struct conf *c, size_t i)
{
	return c->values[i].number != 0;
}

size_t
conf_count(const struct conf *c, size_t i)
{
	return c->values[i].n;
}

const char *
conf_item(const struct conf *c, size_t i, size_t nth)
{
	const struct conf_value *v = &c->values[i];

	return nth < v->n ? v->texts[nth] : NULL;
}

bool
conf_is_default(const struct conf *c, size_t i)
{
	return c->values[i].source <= CONF_DEFAULT;
}

bool
conf_is_flag(const struct conf *c, size_t i)
{
	return c->values[i].source == CONF_FLAG;
}
