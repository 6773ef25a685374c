#include "ewsagent/self.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/path.h"
#include "lib/prog.h"
#include "lib/str.h"

static void
host_name(char *out, size_t size)
{
	if (gethostname(out, size) == -1)
		out[0] = '\0';
	out[size - 1] = '\0';
	out[strcspn(out, ".")] = '\0';
	for (char *p = out; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
}

bool
self_name(struct self *s, const char *name, struct err *err)
{
	char host[256];

	if (name == NULL) {
		host_name(host, sizeof host);
		name = host;
	}
	if (!id_name_ok(name) || !str_copy(s->id, sizeof s->id, name)) {
		err_set(err, EXIT_CONFIG, "config",
		    "id: 1 to 128 bytes without \"/\", control characters or"
		    " space at the ends (--id ID)");
		return false;
	}
	return true;
}

static bool
looks_like_uuid(const char *s)
{
	return strlen(s) == ID_UUID_SIZE - 1 &&
	       strspn(s, "0123456789abcdef-") == ID_UUID_SIZE - 1;
}

bool
self_instance(
    struct self *s, const char *state_dir, struct clock *clock, struct err *err)
{
	char path[PATH_SIZE];
	char *text;
	bool good;

	if (!path_join(path, state_dir, "instance", err))
		return false;
	if (access(path, F_OK) == -1 && errno == ENOENT) {
		id_uuid7(s->instance, clock_wall(clock));
		return path_write(
		    path, s->instance, strlen(s->instance), 0600, err);
	}
	text = path_read_secret(path, err);
	if (text == NULL)
		return false;
	good = looks_like_uuid(text);
	if (good)
		str_copy(s->instance, sizeof s->instance, text);
	else
		err_set(err, EXIT_DATA, "config",
		    "%s holds no UUID; remove it to become a new instance",
		    path);
	free(text);
	return good;
}

void
self_fini(struct self *s)
{
	json_decref(s->tags);
	s->tags = NULL;
}

json_t *
self_hello(const struct self *s, json_t *handlers, struct clock *clock)
{
	char now[CLOCK_TEXT_SIZE];

	return json_pack("{s:s, s:s, s:O, s:o, s:i, s:i, s:s, s:[s,s], s:s*}",
	    "instance", s->instance, "version", prog_version(), "tags", s->tags,
	    "handlers", handlers, "concurrency", (int)s->concurrency, "window",
	    s->window, "time", clock_text(now, clock_wall(clock)), "can",
	    "run_at", "stdin", "boot", s->boot[0] != '\0' ? s->boot : NULL);
}
