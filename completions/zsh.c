#include <stdio.h>
#include <string.h>

#include "gen.h"

/* zsh's _arguments: [text] may not hold brackets or colons or quotes. */
static void
zsh_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("[]:'", *text) != NULL)
			putchar(*text == '[' ? '(' : *text == ']' ? ')' : ' ');
		else
			putchar(*text);
	}
}

static void
zsh_flag(const struct flag *f)
{
	char c = short_name(f);

	if (c != '\0')
		printf("\t\t'(-%c --%s)'{-%c,--%s}'[", c, long_name(f), c,
		    long_name(f));
	else
		printf("\t\t'%s--%s[", is(f->kind, "LIST") ? "*" : "",
		    long_name(f));
	zsh_text(f->help);
	printf("]");
	if (takes_value(f)) {
		printf(":%s:", f->name);
		if (takes_file(f))
			printf("_files");
		if (is(f->kind, "WORD")) {
			putchar('(');
			put_words(f->arg, ' ');
			putchar(')');
		}
	}
	puts("' \\");
}

static void
zsh_rule(const struct verb *v, const struct rule *r)
{
	printf("\t%s.%d.%s) compadd -- ", v->name, r->nth,
	    r->first != NULL ? r->first : "*");
	if (r->list != NULL)
		printf("${(f)\"$(%s)\"}", r->list);
	else
		put_rule_words(r);
	puts(" ;;");
}

static void
zsh_verbs(void)
{
	puts("\t\t'1:verb:->verb' '2:argument:->1' '3:argument:->2' "
	     "'4:argument:->3' '*:argument:_default'\n"
	     "\tcase $state in\n\tverb)\n\t\tlocal -a verbs=(");
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		printf("\t\t\t'%s:", v->name);
		zsh_text(v->help);
		puts("'");
	}
	puts("\t\t)\n\t\t_describe verb verbs ;;\n\tesac\n"
	     "\tcase $line[1].$state.$line[2] in");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		for (const struct rule *r = rules; r->complete != NULL; r++)
			if (is(v->complete, r->complete))
				zsh_rule(v, r);
	puts("\tesac");
}

void
zsh(const struct program *p)
{
	printf("#compdef %s\n_%s() {\n\tlocal state line\n\t_arguments -s \\\n",
	    p->name, p->name);
	for (const struct flag *f = p->flags; f->name != NULL; f++)
		if (*f->flag != '\0')
			zsh_flag(f);
	if (p->has_verbs)
		zsh_verbs();
	else
		puts("\t\t'*:argument:_default'");
	printf("}\n_%s \"$@\"\n", p->name);
}
