#include "ewsagent/exec.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/mem.h"

static void
set(struct exec *e, const char *name, const char *value)
{
	int i = 0;

	if (value == NULL)
		return;
	while (e->env[i] != NULL)
		i++;
	if (i < EXEC_ENV_MAX)
		e->env[i] = mem_printf("%s=%s", name, value);
}

static void
set_person(struct exec *e)
{
	const struct passwd *pw = getpwuid(geteuid());
	const char *home = getenv("HOME");

	if (home == NULL || home[0] != '/')
		home = pw != NULL ? pw->pw_dir : "/";
	set(e, "HOME", home);
	set(e, "USER", pw != NULL ? pw->pw_name : NULL);
	set(e, "LOGNAME", pw != NULL ? pw->pw_name : NULL);
}

/* scheme://user:secret@host/path?token=... without its secrets. */
static char *
bare_url(const char *url)
{
	char *bare = mem_dupn(url, strcspn(url, "?#"));
	char *host = strstr(bare, "://"), *at;

	if (host == NULL)
		return bare;
	host += 3;
	at = host + strcspn(host, "/");
	while (at > host && *at != '@')
		at--;
	if (*at == '@')
		memmove(host, at + 1, strlen(at + 1) + 1);
	return bare;
}

static void
set_env(struct exec *e, const struct job *j, const json_t *data,
    int64_t deadline_ms, const struct work_config *config)
{
	const char *priority = js_str(data, "priority");
	char *hub = bare_url(config->hub_url != NULL ? config->hub_url : "");
	char number[24];

	snprintf(number, sizeof number, "%" PRId64, deadline_ms);
	set(e, "PATH", config->path);
	set_person(e);
	set(e, "LANG", "C.UTF-8");
	set(e, "TZ", getenv("TZ"));
	set(e, "TMPDIR", getenv("TMPDIR"));
	set(e, "EWS_COMMAND_ID", j->id);
	set(e, "EWS_COMMAND_TYPE", j->type);
	set(e, "EWS_AGENT_ID", config->agent_id);
	set(e, "EWS_PRIORITY", priority != NULL ? priority : "normal");
	set(e, "EWS_DEADLINE_MS", number);
	set(e, "EWS_HUB", hub);
	free(hub);
}

static void
set_args(struct exec *e, const char *name, const json_t *args)
{
	size_t i, n = json_array_size(args);

	e->argv = mem_alloc((n + 2) * sizeof *e->argv);
	e->argv[0] = mem_dup(name);
	for (i = 0; i < n; i++)
		e->argv[i + 1] =
		    mem_dup(json_string_value(json_array_get(args, i)));
}

static char *
payload_of(const json_t *data)
{
	const json_t *payload = js_get(data, "payload");

	return payload == NULL ? mem_dup("{}") : js_write(payload);
}

bool
exec_init(struct exec *e, const struct job *j, int64_t deadline_ms,
    const struct work_config *config)
{
	json_t *data = js_read_object(j->text, j->size, NULL);

	memset(e, 0, sizeof *e);
	if (data == NULL)
		return false;
	e->input = payload_of(data);
	set_args(e, j->type, js_get(data, "argv"));
	set_env(e, j, data, deadline_ms, config);
	json_decref(data);
	return e->input != NULL;
}

void
exec_fini(struct exec *e)
{
	size_t i;

	for (i = 0; e->argv != NULL && e->argv[i] != NULL; i++)
		free(e->argv[i]);
	free(e->argv);
	for (i = 0; e->env[i] != NULL; i++)
		free(e->env[i]);
	free(e->input);
}
