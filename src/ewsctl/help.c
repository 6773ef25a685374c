#include <stdio.h>
#include <string.h>

#include "ewsctl/ask.h"
#include "lib/exit.h"
#include "lib/str.h"

enum { WIDTH = 26 };

/* One a line in verbs.def. */
static void
examples(const struct verb *v)
{
	for (const char *at = v->example; *at != '\0';) {
		size_t len = strcspn(at, "\n");

		printf("  %.*s\n", (int)len, at);
		at += len + (at[len] == '\n');
	}
}

static void
help_line(const struct verb *v)
{
	char usage[64];

	snprintf(usage, sizeof usage, "%s %s", v->name, v->args);
	if (strlen(usage) > WIDTH)
		printf("  %s\n  %-*s %s\n", usage, WIDTH, "", v->help);
	else
		printf("  %-*s %s\n", WIDTH, usage, v->help);
}

static void
help_all(void)
{
	puts("usage: ewsctl [flags] VERB [arguments]\n\n"
	     "Sends commands to agents by way of the hub (ewsd), and tells"
	     " what became of them.\n\nverbs:");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		help_line(v);
	puts("\nflags:");
	conf_help(ask_settings, SETTINGS, stdout);
	puts("\nexamples:");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		examples(v);
	puts("\nexit status: 0 done, 1 no, 64 usage, 65 bad data, 69 no hub,"
	     " 75 try later, 77 not allowed,\n  124 time over; run and"
	     " --wait=done: the handler's own, 125 never started, 126"
	     " refused,\n  127 no such handler, 128+n signal n, 255 not"
	     " known. See ewsctl(1).");
}

static const struct setting *
setting_find(const char *flag)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		const char *own = strchr(ask_settings[i].flag, ',');

		own = own != NULL ? own + 1 : ask_settings[i].flag;
		if (str_eq(own, flag))
			return &ask_settings[i];
	}
	return NULL;
}

/* A setting's help begins with the verbs it is for: "send, run: ...". */
static bool
is_for(const struct setting *s, const char *verb)
{
	const char *colon = strchr(s->help, ':');
	char list[64];

	if (colon == NULL || (size_t)(colon - s->help) >= sizeof list)
		return false;
	memcpy(list, s->help, (size_t)(colon - s->help));
	list[colon - s->help] = '\0';
	for (char *save, *w = strtok_r(list, ", ", &save); w != NULL;
	     w = strtok_r(NULL, ", ", &save))
		if (str_eq(w, verb))
			return true;
	return false;
}

bool
verb_takes(const struct verb *v, const struct setting *s)
{
	return strchr(s->help, ':') == NULL || is_for(s, v->name);
}

/* Shown together, so that they line up. */
static size_t
pick_own(const struct verb *v, struct setting *out)
{
	size_t n = 0;

	for (size_t i = 0; i < SETTINGS; i++)
		if (is_for(&ask_settings[i], v->name))
			out[n++] = ask_settings[i];
	return n;
}

static size_t
pick_common(struct setting *out)
{
	static const char *const common[] = { "socket", "output", "jq", "quiet",
		"timeout" };
	size_t n = sizeof common / sizeof *common;

	for (size_t i = 0; i < n; i++)
		out[i] = *setting_find(common[i]);
	return n;
}

static void
help_verb(const struct verb *v)
{
	struct setting picked[SETTINGS];
	size_t n = pick_own(v, picked);

	printf("usage: ewsctl [flags] %s%s%s\n\n%s\n", v->name,
	    *v->args != '\0' ? " " : "", v->args, v->help);
	if (n > 0)
		puts("\nflags:");
	conf_help(picked, n, stdout);
	puts("\nflags of every verb:");
	conf_help(picked, pick_common(picked), stdout);
	puts("\nexamples:");
	examples(v);
}

int
cmd_help(struct ask *a, struct err *err)
{
	const struct verb *v;

	if (a->argc == 0) {
		help_all();
		return EXIT_OK;
	}
	if ((v = verb_find(a->argv[0])) == NULL) {
		err_set(err, EXIT_USAGE_, "usage",
		    "no such verb: %s; try ewsctl help", a->argv[0]);
		return err->status;
	}
	help_verb(v);
	return EXIT_OK;
}
