#include "ewsd/core/auth_set.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ewsd/settings.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/secret.h"
#include "lib/str.h"

/* The default that stands in other systems' example files. */
#define WELL_KNOWN "CHANGE_THIS_SECRET_IN_PRODUCTION"

static uint32_t last_serial;

void
auth_set_fini(struct auth_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->secrets[i].text);
	free(s->admin);
	free(s->registration);
	memset(s, 0, sizeof *s);
}

/* Takes 'text'. */
static bool
check(char *text, const char *what, struct err *err)
{
	if (text == NULL)
		return false;
	if (*text == '\0')
		err_set(err, EXIT_CONFIG, "config", "%s is empty", what);
	else if (str_eq(text, WELL_KNOWN))
		err_set(err, EXIT_CONFIG, "config",
		    "%s is a default that everybody knows", what);
	else
		return true;
	free(text);
	return false;
}

/* The value of the file named by one setting, else of the other, else NULL;
 * false if it is there and no good. */
static bool
from_either(const struct conf *conf, size_t file, size_t direct,
    const char *what, char **out, struct err *err)
{
	const char *path = conf_str(conf, file), *text = conf_str(conf, direct);

	*out = NULL;
	if (path == NULL && text == NULL)
		return true;
	*out = path != NULL ? path_read_secret(path, err) : mem_dup(text);
	if (check(*out, what, err))
		return true;
	*out = NULL;
	return false;
}

static bool
add(struct auth_set *s, char *text)
{
	s->secrets[s->n].text = text;
	s->secrets[s->n++].serial = ++last_serial;
	return true;
}

static bool
make(const char *path, struct err *err)
{
	char hex[66];

	secret_make(hex);
	hex[64] = '\n';
	if (!path_write(path, hex, 65, 0600, err))
		return false;
	log_info("made a secret in %s", path);
	return true;
}

/* Nobody chose a secret: the one in the state directory. */
static bool
load_own(struct auth_set *s, const struct conf *conf, struct err *err)
{
	const char *set = conf_str(conf, SET_state_dir);
	char dir[PATH_SIZE], path[PATH_SIZE];
	char *text;

	if (set != NULL && !str_copy(dir, sizeof dir, set)) {
		err_set(err, EXIT_CONFIG, "config", "state-dir is too long");
		return false;
	}
	if (set == NULL && !path_state(dir, "ewsd", err))
		return false;
	if (!path_private_dir(dir, err) || !path_join(path, dir, "secret", err))
		return false;
	if (access(path, F_OK) == -1 && !make(path, err))
		return false;
	text = path_read_secret(path, err);
	if (!check(text, "the secret in the state directory", err))
		return false;
	s->made = true;
	return add(s, text);
}

static bool
load(struct auth_set *s, const struct conf *conf, struct err *err)
{
	const char *old = conf_str(conf, SET_secret_file_old);
	char *text;

	if (!from_either(conf, SET_secret_file, SET_secret, "the shared secret",
		&text, err))
		return false;
	if (text != NULL ? !add(s, text) : !load_own(s, conf, err))
		return false;
	if (old != NULL) {
		text = path_read_secret(old, err);
		if (!check(text, "the old shared secret", err))
			return false;
		add(s, text);
	}
	return from_either(conf, SET_admin_key_file, SET_admin_key,
		   "the admin key", &s->admin, err) &&
	       from_either(conf, SET_registration_token_file,
		   SET_registration_token, "the registration token",
		   &s->registration, err);
}

bool
auth_set_load(struct auth_set *s, const struct conf *conf, struct err *err)
{
	memset(s, 0, sizeof *s);
	if (load(s, conf, err))
		return true;
	auth_set_fini(s);
	return false;
}

void
auth_set_inherit(struct auth_set *s, const struct auth_set *old)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t j = 0; j < old->n; j++)
			if (str_eq(s->secrets[i].text, old->secrets[j].text))
				s->secrets[i].serial = old->secrets[j].serial;
}
