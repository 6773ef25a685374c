#include "ewsagent/handlers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

bool
handlers_dir(char out[PATH_SIZE], const char *dir, struct err *err)
{
	char here[PATH_SIZE], *real = realpath(dir, NULL);
	bool ok;

	if (real != NULL) {
		ok = str_copy(out, PATH_SIZE, real);
		free(real);
		if (!ok)
			err_set(err, EXIT_CONFIG, "config",
			    "the path of the handlers is too long");
		return ok;
	}
	if (errno != ENOENT) {
		err_set(err, EXIT_CONFIG, "config", "handlers %s: %s",
		    log_q(dir), strerror(errno));
		return false;
	}
	if (dir[0] == '/')
		return path_join(out, "", dir + 1, err);
	if (getcwd(here, sizeof here) == NULL) {
		err_set(err, EXIT_IO, "io", "no working directory: %s",
		    strerror(errno));
		return false;
	}
	return path_join(out, here, dir, err);
}

/* What others could do to it; NULL if nothing. */
static const char *
weakness(const struct stat *st)
{
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return "belongs to another user";
	if ((st->st_mode & S_IWOTH) != 0)
		return "is writable by others";
	if ((st->st_mode & S_IWGRP) != 0)
		return "is writable by its group";
	return NULL;
}

static const char *
fault(int dir, const char *name, const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return "is a symbolic link";
	if (!S_ISREG(st->st_mode))
		return "is no regular file";
	if ((st->st_mode & (S_ISUID | S_ISGID)) != 0)
		return "is set-uid or set-gid";
	if ((st->st_mode & 0111) == 0 || faccessat(dir, name, X_OK, 0) == -1)
		return "is not executable";
	return weakness(st);
}

static enum handler_verdict
verdict_of(int error)
{
	switch (error) {
	case ENOENT:
		return HANDLER_NONE;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return HANDLER_LATER;
	default:
		return HANDLER_REFUSED;
	}
}

/* A descriptor of the directory, or -1 with the verdict. */
static int
open_dir(const char *dir, enum handler_verdict *verdict, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *why;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1) {
		*verdict = verdict_of(errno);
		err_set(err, EXIT_DENIED, "denied", "handlers directory %s: %s",
		    dir, strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	why = weakness(&st);
	if (why == NULL)
		return fd;
	*verdict = HANDLER_REFUSED;
	err_set(
	    err, EXIT_DENIED, "denied", "handlers directory %s %s", dir, why);
	close(fd);
	return -1;
}

static enum handler_verdict
judge(int dir, const char *name, struct err *err)
{
	const char *why;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		enum handler_verdict verdict = verdict_of(errno);

		err_set(err, EXIT_DENIED, "denied", "handler %s: %s", name,
		    verdict == HANDLER_NONE ? "there is none of this name"
					    : strerror(errno));
		return verdict;
	}
	why = fault(dir, name, &st);
	if (why == NULL)
		return HANDLER_OK;
	err_set(err, EXIT_DENIED, "denied", "handler %s %s", name, why);
	return HANDLER_REFUSED;
}

static enum handler_verdict
find(const char *dir, const char *name, char path[PATH_SIZE], struct err *err)
{
	enum handler_verdict verdict;
	int fd = open_dir(dir, &verdict, err);

	if (fd == -1)
		return verdict;
	verdict = judge(fd, name, err);
	close(fd);
	if (verdict == HANDLER_OK && !path_join(path, dir, name, err))
		return HANDLER_REFUSED;
	return verdict;
}

enum handler_verdict
handlers_find(
    const char *dir, const char *type, char path[PATH_SIZE], struct err *err)
{
	if (!id_handler_ok(type)) {
		err_set(err, EXIT_DENIED, "denied",
		    "%s is no name for a handler", log_q(type));
		return HANDLER_NONE;
	}
	if (str_ends(type, HANDLERS_PROBE)) {
		err_set(err, EXIT_DENIED, "denied",
		    "%s is a probe: no command may run it", type);
		return HANDLER_REFUSED;
	}
	return find(dir, type, path, err);
}

enum handler_verdict
handlers_find_probe(
    const char *dir, const char *type, char path[PATH_SIZE], struct err *err)
{
	char name[ID_NAME_MAX];

	if (!id_handler_ok(type) ||
	    snprintf(name, sizeof name, "%s" HANDLERS_PROBE, type) >=
		(int)sizeof name) {
		err_set(err, EXIT_DENIED, "denied",
		    "%s is no name for a handler", log_q(type));
		return HANDLER_NONE;
	}
	return find(dir, name, path, err);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t
read_names(DIR *d, char *names[HANDLERS_LIST_MAX])
{
	struct dirent *e;
	size_t n = 0;

	while (n < HANDLERS_LIST_MAX && (e = readdir(d)) != NULL) {
		if (id_handler_ok(e->d_name) &&
		    !str_ends(e->d_name, HANDLERS_PROBE) &&
		    judge(dirfd(d), e->d_name, NULL) == HANDLER_OK)
			names[n++] = mem_dup(e->d_name);
	}
	return n;
}

json_t *
handlers_list(const char *dir)
{
	char *names[HANDLERS_LIST_MAX];
	enum handler_verdict verdict;
	json_t *list = json_array();
	int fd = open_dir(dir, &verdict, NULL);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	size_t i, n;

	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return list;
	}
	n = read_names(d, names);
	closedir(d);
	qsort(names, n, sizeof *names, by_name);
	for (i = 0; i < n; i++) {
		json_array_append_new(list, json_string(names[i]));
		free(names[i]);
	}
	return list;
}
