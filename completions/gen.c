/*
 * gen - makes the completions of bash, zsh and fish, and the manual's tables
 *
 *   gen bash|zsh|fish ewsctl|ewsd|ewsagent
 *   gen man PAGE <PAGE.in >PAGE	a line  .\"@ KIND PROGRAM  becomes a table
 *
 * From verbs.def and settings.def, so that no list is kept twice.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct flag {
	const char *name, *kind, *flag, *env, *def, *arg, *help;
};

#define SETTING(name, kind, flag, env, def, min, max, arg, help)               \
	{ #name, #kind, flag, env, def, arg, help },
static const struct flag ewsctl_flags[] = {
#include "ewsctl/settings.def"
	{ 0 }
};
static const struct flag ewsd_flags[] = {
#include "ewsd/settings.def"
	{ 0 }
};
static const struct flag ewsagent_flags[] = {
#include "ewsagent/settings.def"
	{ 0 }
};
#undef SETTING

static const struct verb {
	const char *name, *args, *complete, *help, *example;
} verbs[] = {
#define VERB(name, fn, args, fewest, most, complete, help, example)            \
	{ #name, args, #complete, help, example },
#include "ewsctl/verbs.def"
#undef VERB
	{ 0 }
};

static const struct program {
	const char *name;
	const struct flag *flags;
	bool has_verbs;
} programs[] = {
	{ "ewsctl", ewsctl_flags, true },
	{ "ewsd", ewsd_flags, false },
	{ "ewsagent", ewsagent_flags, false },
};

static const char list_agents[] =
    "ewsctl agents -o json 2>/dev/null | jq -r '.agents[].agent' 2>/dev/null";
static const char list_commands[] =
    "ewsctl commands -n 20 -o json 2>/dev/null |"
    " jq -r '.commands[].command_id' 2>/dev/null";

static const char *
long_name(const struct flag *f)
{
	const char *comma = strchr(f->flag, ',');

	return comma != NULL ? comma + 1 : f->flag;
}

static char
short_name(const struct flag *f)
{
	return strchr(f->flag, ',') != NULL ? f->flag[0] : '\0';
}

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool
takes_value(const struct flag *f)
{
	return !is(f->kind, "BOOL");
}

static bool
takes_file(const struct flag *f)
{
	return is(f->kind, "PATH");
}

/* "a|b|c" with another separator, in single quotes' reach: no quotes. */
static void
words(const char *list, char with)
{
	for (; *list != '\0'; list++)
		putchar(*list == '|' ? with : *list);
}

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
			words(f->arg, ' ');
			puts("' -- \"$cur\"))");
		}
		puts("\t\treturn ;;");
	}
	puts("\tesac");
}

static void
bash_verbs(void)
{
	puts("\tlocal i verb= n=0\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\tcase ${COMP_WORDS[i]} in\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) [ -n \"$verb\" ] || verb=${COMP_WORDS[i]}; n=$((n + 1)) "
	     ";;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tif [ -z \"$verb\" ]; then");
	printf("\t\tCOMPREPLY=($(compgen -W '");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		printf("%s ", v->name);
	puts("' -- \"$cur\"))\n\t\treturn\n\tfi\n"
	     "\t[ $n -eq 1 ] || return\n\tcase $verb in");
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		if (is(v->complete, "agent"))
			printf("\t%s) COMPREPLY=($(compgen -W \"$(%s)\" -- "
			       "\"$cur\")) ;;\n",
			    v->name, list_agents);
		if (is(v->complete, "command"))
			printf("\t%s) COMPREPLY=($(compgen -W \"$(%s)\" -- "
			       "\"$cur\")) ;;\n",
			    v->name, list_commands);
	}
	puts("\tesac");
}

static void
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
		bash_verbs();
	printf("}\ncomplete -F _%s %s\n", p->name, p->name);
}

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
			words(f->arg, ' ');
			putchar(')');
		}
	}
	puts("' \\");
}

static void
zsh_verbs(void)
{
	puts("\t\t'1:verb:->verb' '2:first:->first' '*:argument:_default'\n"
	     "\tcase $state in\n\tverb)\n\t\tlocal -a verbs=(");
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		printf("\t\t\t'%s:", v->name);
		zsh_text(v->help);
		puts("'");
	}
	puts("\t\t)\n\t\t_describe verb verbs ;;\n\tfirst)\n"
	     "\t\tcase $line[1] in");
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		if (is(v->complete, "agent"))
			printf("\t\t%s) compadd -- ${(f)\"$(%s)\"} ;;\n",
			    v->name, list_agents);
		if (is(v->complete, "command"))
			printf("\t\t%s) compadd -- ${(f)\"$(%s)\"} ;;\n",
			    v->name, list_commands);
	}
	puts("\t\tesac ;;\n\tesac");
}

static void
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
		words(f->arg, ' ');
		putchar('\'');
	}
	printf(" -d ");
	fish_text(f->help);
	putchar('\n');
}

static void
fish_verb(const struct verb *v)
{
	const char *list = is(v->complete, "agent")     ? list_agents
			   : is(v->complete, "command") ? list_commands
							: NULL;

	printf("complete -c ewsctl -n __fish_use_subcommand -f -a %s -d ",
	    v->name);
	fish_text(v->help);
	putchar('\n');
	if (list == NULL)
		return;
	printf("complete -c ewsctl -n '__fish_seen_subcommand_from %s' -f -a ",
	    v->name);
	printf("\"(%s)\"\n", list);
}

static void
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

static const struct program *
program(const char *name)
{
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		if (is(programs[i].name, name))
			return &programs[i];
	return NULL;
}

static int
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

int
main(int argc, char **argv)
{
	const struct program *p = argc == 3 ? program(argv[2]) : NULL;

	if (argc == 3 && is(argv[1], "man"))
		return man();
	if (p != NULL && is(argv[1], "bash"))
		bash(p);
	else if (p != NULL && is(argv[1], "zsh"))
		zsh(p);
	else if (p != NULL && is(argv[1], "fish"))
		fish(p);
	else {
		fputs(
		    "usage: gen bash|zsh|fish PROGRAM, gen man PAGE\n", stderr);
		return 64;
	}
	return 0;
}
