#include "lib/path.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/str.h"

static bool
too_long(const char *path, struct err *err)
{
	err_set(err, EXIT_CONFIG, "config",
	    "a path is longer than %d bytes: %.60s...", PATH_SIZE - 1, path);
	return false;
}

bool
path_join(
    char out[PATH_SIZE], const char *dir, const char *name, struct err *err)
{
	const char *slash = str_ends(dir, "/") ? "" : "/";
	int len = snprintf(out, PATH_SIZE, "%s%s%s", dir, slash, name);

	if (len < 0 || len >= PATH_SIZE)
		return too_long(dir, err);
	return true;
}

static bool
is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
is_our_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid();
}

/* Can we look up names in it and, who wants to create, make one? */
static bool
usable(const char *dir, bool create)
{
	return is_dir(dir) && access(dir, create ? W_OK | X_OK : X_OK) == 0;
}

/* PARENT/ews, made if that is wanted and the parent is ours. */
static bool
private_runtime(char out[PATH_SIZE], const char *parent, bool create)
{
	if (parent == NULL || *parent != '/' ||
	    !path_join(out, parent, "ews", NULL))
		return false;
	if (create && is_our_dir(parent))
		mkdir(out, 0700); /* there already: just as well */
	return usable(out, create);
}

bool
path_runtime(
    char out[PATH_SIZE], const char *state_dir, bool create, struct err *err)
{
	char parent[64];

	snprintf(
	    parent, sizeof parent, "/run/user/%lu", (unsigned long)geteuid());
	if (private_runtime(out, getenv("XDG_RUNTIME_DIR"), create) ||
	    private_runtime(out, parent, create))
		return true;
	if (usable("/run/ews", create))
		return str_copy(out, PATH_SIZE, "/run/ews");
	if (state_dir != NULL && usable(state_dir, create))
		return str_copy(out, PATH_SIZE, state_dir) ||
		       too_long(state_dir, err);
	err_set(err, EXIT_CONFIG, "config",
	    "no runtime directory: none of $XDG_RUNTIME_DIR/ews, %s/ews, "
	    "/run/ews, %s exists",
	    parent, state_dir != NULL ? state_dir : "the state directory");
	return false;
}

static const char *
home(void)
{
	const char *dir = getenv("HOME");
	struct passwd *pw;

	if (dir != NULL && *dir == '/')
		return dir;
	pw = getpwuid(geteuid());
	return pw != NULL && *pw->pw_dir == '/' ? pw->pw_dir : NULL;
}

bool
path_state(char out[PATH_SIZE], const char *program, struct err *err)
{
	const char *dir = getenv("XDG_STATE_HOME");

	if (geteuid() == 0)
		return path_join(out, "/var/lib", program, err);
	if (dir != NULL && *dir == '/')
		return path_join(out, dir, "ews", err);
	dir = home();
	if (dir != NULL)
		return path_join(out, dir, ".local/state/ews", err);
	err_set(err, EXIT_CONFIG, "config",
	    "no state directory: HOME is not set and uid %lu has no passwd "
	    "entry",
	    (unsigned long)geteuid());
	return false;
}

static bool
make_dir(const char *dir, struct err *err)
{
	int why;

	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return true;
	why = errno;
	/* a parent that we may not write to, but that is there, is fine */
	if (is_dir(dir))
		return true;
	err_set(err, EXIT_CONFIG, "config", "cannot make %s: %s", dir,
	    strerror(why));
	return false;
}

static bool
make_parents(const char *dir, struct err *err)
{
	char copy[PATH_SIZE];
	char *slash;

	if (!str_copy(copy, sizeof copy, dir))
		return too_long(dir, err);
	for (slash = copy + (*copy == '/');
	     (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (!make_dir(copy, err))
			return false;
		*slash = '/';
	}
	return make_dir(copy, err);
}

bool
path_private_dir(const char *dir, struct err *err)
{
	struct stat st;
	const char *why = NULL;

	if (stat(dir, &st) == -1 && errno == ENOENT && !make_parents(dir, err))
		return false;
	if (stat(dir, &st) == -1)
		why = strerror(errno);
	else if (!S_ISDIR(st.st_mode))
		why = "is no directory";
	else if (st.st_uid != geteuid())
		why = "belongs to another user";
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		why = "is writable by others; run chmod go-w on it";
	if (why == NULL)
		return true;
	err_set(err, EXIT_CONFIG, "config", "%s: %s", dir, why);
	return false;
}
