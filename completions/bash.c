#include <stdio.h>

#include "gen.h"

static void
bash_values(const struct program *p)
{
	printf("\tcase $prev in\n");
	for (const struct flag *f = p->flags; f->name != NULL; f++) {
		if (*f->flag == '\0' || !takes_value(f))
			continue;
		printf("\t--%s", long_name(f));
		if (short_name(f) != '\0')
			printf("|-%c", short_name(f));
		printf(")\n");
		if (takes_file(f))
			puts("\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))");
		if (is(f->kind, "WORD")) {
			printf("\t\tCOMPREPLY=($(compgen -W '");
			put_words(f->arg, ' ');
			puts("' -- \"$cur\"))");
		}
		puts("\t\treturn ;;");
	}
	puts("\tesac");
}

static void
bash_rule(const struct verb *v, const struct rule *r)
{
	printf("\t%s.%d.%s) COMPREPLY=($(compgen -W ", v->name, r->nth,
	    r->first != NULL ? r->first : "*");
	if (r->list != NULL) {
		printf("\"$(%s)\"", r->list);
	} else {
		putchar('\'');
		put_rule_words(r);
		putchar('\'');
	}
	puts(" -- \"$cur\")) ;;");
}

/* The flags whose value is the next word. */
static void
bash_valued(const struct program *p)
{
	for (const struct flag *f = p->flags; f->name != NULL; f++) {
		if (*f->flag == '\0' || !takes_value(f))
			continue;
		printf("--%s|", long_name(f));
		if (short_name(f) != '\0')
			printf("-%c|", short_name(f));
	}
}

static void
bash_verbs(const struct program *p)
{
	printf("\tlocal i words=()\n"
	       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	       "\t\tcase ${COMP_WORDS[i]} in\n\t\t");
	bash_valued(p);
	puts("=) i=$((i + 1)) ;;\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) words+=(\"${COMP_WORDS[i]}\") ;;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tif [ ${#words[@]} -eq 0 ]; then");
	printf("\t\tCOMPREPLY=($(compgen -W '");
	put_verb_names();
	puts("' -- \"$cur\"))\n\t\treturn\n\tfi\n"
	     "\tcase ${words[0]}.${#words[@]}.${words[1]-} in");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		for (const struct rule *r = rules; r->complete != NULL; r++)
			if (is(v->complete, r->complete))
				bash_rule(v, r);
	puts("\tesac");
}

void
bash(const struct program *p)
{
	printf("# bash completion for %s\n_%s() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} "
	       "prev=${COMP_WORDS[COMP_CWORD-1]}\n",
	    p->name, p->name);
	bash_values(p);
	printf("\tif [[ $cur == -* ]]; then\n\t\tCOMPREPLY=($(compgen -W '");
	for (const struct flag *f = p->flags; f->name != NULL; f++)
		if (*f->flag != '\0')
			printf("--%s ", long_name(f));
	puts("' -- \"$cur\"))\n\t\treturn\n\tfi");
	if (p->has_verbs)
		bash_verbs(p);
	printf("}\ncomplete -F _%s %s\n", p->name, p->name);
}
