/* lists - of the programs, their flags and verbs, and what can be completed */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gen.h"

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

const struct verb verbs[] = {
#define VERB(name, fn, args, fewest, most, complete, help, example)            \
	{ #name, args, #complete, help, example },
#include "ewsctl/verbs.def"
#undef VERB
	{ 0 }
};

static const struct program programs[] = {
	{ "ewsctl", ewsctl_flags, true },
	{ "ewsd", ewsd_flags, false },
	{ "ewsagent", ewsagent_flags, false },
};

/* Names are chosen by strangers, and bash expands the words it is given:
 * those with other characters are not offered. */
#define LIST(verb, expr)                                                       \
	"ewsctl " verb " -o json 2>/dev/null | jq -r '" expr                   \
	"' 2>/dev/null | grep -v \\[\\^\\[:alnum:\\]._:@-\\]"
static const char list_agents[] = LIST("agents", ".agents[].agent");
static const char list_commands[] =
    LIST("commands -n 20", ".commands[].command_id");
static const char list_schedules[] =
    LIST("schedules", ".schedules[].schedule_id");
static const char list_dead[] = LIST("dead -n 20", ".commands[].command_id");

const struct rule rules[] = { { "agent", 1, NULL, NULL, list_agents },
	{ "command", 1, NULL, NULL, list_commands },
	{ "why", 1, NULL, NULL, list_agents }, { "verb", 1, NULL, "", NULL },
	{ "schedules", 1, NULL, "list show pause resume cancel", NULL },
	{ "schedules", 2, NULL, NULL, list_schedules },
	{ "dead", 1, NULL, "list requeue drop", NULL },
	{ "dead", 2, NULL, NULL, list_dead },
	{ "wait", 1, NULL, "agent command", NULL },
	{ "wait", 2, "agent", NULL, list_agents },
	{ "wait", 2, "command", NULL, list_commands },
	{ "wait", 3, "agent", "online offline", NULL },
	{ "wait", 3, "command", "accepted delivered received started done",
	    NULL },
	{ 0 } };

const struct program *
program(const char *name)
{
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		if (is(programs[i].name, name))
			return &programs[i];
	return NULL;
}

const char *
long_name(const struct flag *f)
{
	const char *comma = strchr(f->flag, ',');

	return comma != NULL ? comma + 1 : f->flag;
}

char
short_name(const struct flag *f)
{
	return strchr(f->flag, ',') != NULL ? f->flag[0] : '\0';
}

bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool
takes_value(const struct flag *f)
{
	return !is(f->kind, "BOOL");
}

bool
takes_file(const struct flag *f)
{
	return is(f->kind, "PATH");
}

void
put_words(const char *list, char with)
{
	for (; *list != '\0'; list++)
		putchar(*list == '|' ? with : *list);
}

void
put_verb_names(void)
{
	for (const struct verb *v = verbs; v->name != NULL; v++)
		printf("%s ", v->name);
}

void
put_rule_words(const struct rule *r)
{
	if (*r->words == '\0')
		put_verb_names();
	else
		fputs(r->words, stdout);
}
