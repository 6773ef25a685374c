#include <stdio.h>

#include "gen.h"

/* mdoc: a backslash or a dot at the start of a line would be a request. */
static void
man_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
	putchar('\n');
}

static void
man_flags(const struct program *p)
{
	puts(".Bl -tag -width Ds");
	for (const struct flag *f = p->flags; f->name != NULL; f++) {
		if (*f->flag == '\0')
			continue;
		printf(".It ");
		if (short_name(f) != '\0')
			printf("Fl %c , ", short_name(f));
		printf("Fl -%s", long_name(f));
		if (takes_value(f))
			printf(" Ar %s", f->arg);
		putchar('\n');
		man_text(f->help);
	}
	puts(".El");
}

static void
man_key(const struct flag *f)
{
	printf(".It Sy ");
	for (const char *c = f->name; *c != '\0'; c++)
		putchar(*c == '_' ? '-' : *c);
	if (takes_value(f))
		printf(" = Ar %s", f->arg);
	putchar('\n');
	man_text(f->help);
	if (*f->env != '\0')
		printf(".br\nEnvironment: %s\n", f->env);
	if (*f->def != '\0') {
		printf(".br\nDefault: ");
		man_text(f->def);
	}
}

static void
man_keys(const struct program *p)
{
	puts(".Bl -tag -width Ds");
	for (const struct flag *f = p->flags; f->name != NULL; f++)
		man_key(f);
	puts(".El");
}

static void
man_verbs(void)
{
	puts(".Bl -tag -width Ds");
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		printf(".It Nm ewsctl Cm %s", v->name);
		if (*v->args != '\0')
			printf(" No %s", v->args);
		putchar('\n');
		man_text(v->help);
	}
	puts(".El");
}

int
man(void)
{
	char line[1024], kind[16], name[16];

	while (fgets(line, sizeof line, stdin) != NULL) {
		const struct program *p;

		if (sscanf(line, ".\\\"@ %15s %15s", kind, name) != 2) {
			fputs(line, stdout);
			continue;
		}
		if ((p = program(name)) == NULL)
			return 65;
		if (is(kind, "flags"))
			man_flags(p);
		else if (is(kind, "keys"))
			man_keys(p);
		else
			man_verbs();
	}
	return 0;
}
