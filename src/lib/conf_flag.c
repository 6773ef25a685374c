#include <stdio.h>
#include <string.h>

#include "lib/conf_priv.h"
#include "lib/str.h"

char
conf_short(const struct setting *s)
{
	if (s->flag[0] == '\0')
		return '\0';
	return s->flag[1] == '\0' || s->flag[1] == ',' ? s->flag[0] : '\0';
}

const char *
conf_long(const struct setting *s)
{
	if (conf_short(s) == '\0')
		return *s->flag != '\0' ? s->flag : NULL;
	return s->flag[1] == ',' ? s->flag + 2 : NULL;
}

/* The words that are left to read. */
struct words {
	struct conf *conf;
	char **at; /* the next one; NULL ends */
	struct err *err;
};

static size_t
find_long(const struct conf *c, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		const char *flag = conf_long(&c->table[i]);

		if (flag != NULL && strlen(flag) == len &&
		    memcmp(flag, name, len) == 0)
			break;
	}
	return i;
}

static size_t
find_short(const struct conf *c, char name)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (conf_short(&c->table[i]) == name)
			break;
	return i;
}

static bool
complain(struct words *w, const char *flag, const char *why)
{
	struct conf_from from = { CONF_FLAG, flag, 0 };

	conf_fail(&from, w->err, "%s", why);
	return false;
}

/* 'value' is NULL if none came with the flag itself. */
static bool
apply(struct words *w, size_t i, const char *flag, const char *value)
{
	struct conf_from from = { CONF_FLAG, flag, 0 };

	if (value == NULL && w->conf->table[i].kind == CONF_BOOL)
		value = "true";
	if (value == NULL) {
		/* "--a --b": more likely forgotten than meant */
		if (*w->at == NULL || (str_starts(*w->at, "--")))
			return complain(w, flag, "needs a value");
		value = *w->at++;
	}
	return conf_set(w->conf, i, value, &from, w->err);
}

static bool
read_long(struct words *w, const char *word)
{
	const char *name = word + 2, *equals = strchr(name, '=');
	size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
	size_t i = find_long(w->conf, name, len);
	const struct conf_from from = { CONF_FLAG, word, 0 };
	char flag[64];

	snprintf(flag, sizeof flag, "--%.*s", len < 60 ? (int)len : 60, name);
	if (i < w->conf->n)
		return apply(w, i, flag, equals != NULL ? equals + 1 : NULL);
	if (str_starts(name, "no-") && equals == NULL) {
		i = find_long(w->conf, name + 3, len - 3);
		if (i < w->conf->n && w->conf->table[i].kind == CONF_BOOL)
			return conf_set(w->conf, i, "false", &from, w->err);
	}
	return complain(w, flag, "unknown option; see --help");
}

/* "-v", "-vq", "-p8080", "-p 8080" */
static bool
read_short(struct words *w, const char *word)
{
	char flag[3] = "-";

	for (word++; *word != '\0'; word++) {
		size_t i = find_short(w->conf, *word);
		bool alone;

		flag[1] = *word;
		if (i == w->conf->n)
			return complain(w, flag, "unknown option; see --help");
		alone = w->conf->table[i].kind == CONF_BOOL || word[1] == '\0';
		if (!apply(w, i, flag, alone ? NULL : word + 1))
			return false;
		if (!alone)
			break;
	}
	return true;
}

bool
conf_read_flags(struct conf *c, int *argc, char **argv, conf_until_fn *until,
    struct err *err)
{
	struct words w = { c, argv + (*argc > 0), err };
	bool flags = true;
	int kept = *argc > 0;

	while (*w.at != NULL) {
		char *word = *w.at++;
		bool ok = true;

		if (flags && until != NULL && until(c, kept - 1, argv + 1))
			flags = false;
		if (!flags || word[0] != '-' || word[1] == '\0')
			argv[kept++] = word;
		else if (str_eq(word, "--"))
			flags = false;
		else if (word[1] == '-')
			ok = read_long(&w, word);
		else
			ok = read_short(&w, word);
		if (!ok)
			return false;
	}
	argv[kept] = NULL;
	*argc = kept;
	return true;
}
