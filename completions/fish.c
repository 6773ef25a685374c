#include <stdio.h>

#include "gen.h"

static void
fish_text(const char *text)
{
	putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void
fish_flag(const struct program *p, const struct flag *f)
{
	printf("complete -c %s -l %s", p->name, long_name(f));
	if (short_name(f) != '\0')
		printf(" -s %c", short_name(f));
	if (takes_value(f))
		printf(takes_file(f) ? " -r -F" : " -x");
	if (is(f->kind, "WORD")) {
		printf(" -a '");
		put_words(f->arg, ' ');
		putchar('\'');
	}
	printf(" -d ");
	fish_text(f->help);
	putchar('\n');
}

/* fish counts no arguments: the words of the first stand no more once one of
 * them is there. */
static void
fish_rule(const struct verb *v, const struct rule *r)
{
	printf(
	    "complete -c ewsctl -n '__fish_seen_subcommand_from %s", v->name);
	if (r->first != NULL)
		printf("; and __fish_seen_subcommand_from %s", r->first);
	else if (r->nth == 1 && r->words != NULL && *r->words != '\0')
		printf("; and not __fish_seen_subcommand_from %s", r->words);
	printf("' -f -a \"");
	if (r->list != NULL)
		printf("(%s)", r->list);
	else
		put_rule_words(r);
	puts("\"");
}

static void
fish_verb(const struct verb *v)
{
	printf("complete -c ewsctl -n __fish_use_subcommand -f -a %s -d ",
	    v->name);
	fish_text(v->help);
	putchar('\n');
	for (const struct rule *r = rules; r->complete != NULL; r++)
		if (is(v->complete, r->complete))
			fish_rule(v, r);
}

void
fish(const struct program *p)
{
	printf("# fish completion for %s\n", p->name);
	for (const struct flag *f = p->flags; f->name != NULL; f++)
		if (*f->flag != '\0')
			fish_flag(p, f);
	if (!p->has_verbs)
		return;
	for (const struct verb *v = verbs; v->name != NULL; v++)
		fish_verb(v);
}
