#include <string.h>

#include "lib/conf_priv.h"
#include "lib/str.h"

/* As it stands in the file: with "-" for "_". */
static const char *
file_key(const struct setting *s, char *out, size_t size)
{
	char *p;

	str_copy(out, size, s->key);
	for (p = out; *p != '\0'; p++)
		if (*p == '_')
			*p = '-';
	return out;
}

static bool
is_secret(const struct setting *s)
{
	if (s->kind != CONF_STRING) /* the name of a file is no secret */
		return false;
	return str_ends(s->key, "secret") || str_ends(s->key, "key") ||
	       str_ends(s->key, "token");
}

static void
print_source(const struct conf_value *v, FILE *f)
{
	switch (v->source) {
	case CONF_FLAG:
		fprintf(f, "   # flag %s\n", v->name);
		break;
	case CONF_ENV:
		fprintf(f, "   # environment %s\n", v->name);
		break;
	case CONF_FILE:
		fprintf(f, "   # file %s:%d\n", v->name, v->line);
		break;
	case CONF_DEFAULT:
	case CONF_UNSET:
		fprintf(f, "   # default\n");
		break;
	}
}

/* The output can be read again as a file: what has no value to show is a
 * comment. */
void
conf_print(const struct conf *c, FILE *f)
{
	char key[64], text[1024];
	size_t i, k;

	for (i = 0; i < c->n; i++) {
		const struct conf_value *v = &c->values[i];

		file_key(&c->table[i], key, sizeof key);
		if (v->n == 0 || is_secret(&c->table[i])) {
			fprintf(f, "# %s = %s", key,
			    v->n == 0 ? "(unset)" : "(not shown)");
			print_source(v, f);
			continue;
		}
		for (k = 0; k < v->n; k++) {
			fprintf(f, "%s = %s", key,
			    str_escape(text, sizeof text, v->texts[k],
				strlen(v->texts[k])));
			print_source(v, f);
		}
	}
}

/* "-l, --listen HOST:PORT"; without a flag the key. Returns its length. */
static int
left_side(const struct setting *s, char *out, size_t size)
{
	const char *arg = s->kind == CONF_BOOL ? "" : s->arg;
	const char *name = conf_long(s);
	char one = conf_short(s), key[64], start[8] = "    ";

	if (one != '\0')
		snprintf(start, sizeof start, "-%c%s", one,
		    name != NULL ? ", " : "");
	if (one == '\0' && name == NULL)
		return snprintf(out, size, "    %s%s%s",
		    file_key(s, key, sizeof key), *arg != '\0' ? " = " : "",
		    arg);
	return snprintf(out, size, "%s%s%s%s%s", start,
	    name != NULL ? "--" : "", name != NULL ? name : "",
	    *arg != '\0' ? " " : "", arg);
}

enum { COLUMNS_MAX = 100 };

/* Words from column 'at' on; a line that is full goes on at 'indent'. */
static void
print_wrapped(const char *text, int at, int indent, FILE *f)
{
	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (at > indent && at + 1 + len > COLUMNS_MAX) {
			fprintf(f, "\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', f);
			at++;
		}
		fprintf(f, "%.*s", len, text);
		at += len;
		text += len + strspn(text + len, " ");
	}
	fputc('\n', f);
}

/* What stands right of the flag. */
static void
print_help(const struct setting *s, int at, int indent, FILE *f)
{
	bool no_flag = *s->flag == '\0';
	bool has_def = *s->def != '\0' && s->kind != CONF_BOOL;
	char text[512];

	snprintf(text, sizeof text, "%s%s%s%s%s%s%s%s", s->help,
	    has_def ? " [" : "", has_def ? s->def : "", has_def ? "]" : "",
	    no_flag ? " (file" : "", no_flag && *s->env != '\0' ? ", " : "",
	    no_flag ? s->env : "", no_flag ? ")" : "");
	print_wrapped(text, at, indent, f);
}

void
conf_help(const struct setting *table, size_t n, FILE *f)
{
	char left[128];
	int width = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		int len = left_side(&table[i], left, sizeof left);

		if (len > width && len <= 36)
			width = len;
	}
	for (i = 0; i < n; i++) {
		int len = left_side(&table[i], left, sizeof left);
		bool wide = len > width;

		fprintf(f, "  %-*s%s", width, left, wide ? "\n" : "");
		fprintf(f, "%*s", wide ? width + 4 : 2, "");
		print_help(&table[i], width + 4, width + 4, f);
	}
}
