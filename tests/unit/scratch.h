/*
 * scratch - a private directory for one test
 */
#ifndef EWS_TESTS_SCRATCH_H
#define EWS_TESTS_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
	char dir[512];
	char path[1024]; /* of the last scratch_path */
};

/* For cmocka_unit_test_setup_teardown: *state is a struct scratch. */
static inline int
scratch_setup(void **state)
{
	struct scratch *s = calloc(1, sizeof *s);
	const char *tmp = getenv("TMPDIR");

	if (s == NULL)
		return -1;
	snprintf(
	    s->dir, sizeof s->dir, "%s/ews.XXXXXX", tmp != NULL ? tmp : "/tmp");
	*state = s;
	return mkdtemp(s->dir) != NULL ? 0 : -1;
}

static inline int
scratch_remove_one(
    const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static inline void
scratch_remove(const char *dir)
{
	chmod(dir, 0700);
	nftw(dir, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int
scratch_teardown(void **state)
{
	struct scratch *s = *state;

	scratch_remove(s->dir);
	free(s);
	return 0;
}

static inline const char *
scratch_path(struct scratch *s, const char *name)
{
	snprintf(s->path, sizeof s->path, "%s/%s", s->dir, name);
	return s->path;
}

/* The file then has exactly this mode, whatever the umask. */
static inline const char *
scratch_write(struct scratch *s, const char *name, const void *bytes,
    size_t len, mode_t mode)
{
	int fd =
	    open(scratch_path(s, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1 || write(fd, bytes, len) != (ssize_t)len ||
	    fchmod(fd, mode) == -1)
		abort();
	close(fd);
	return s->path;
}

static inline const char *
scratch_text(struct scratch *s, const char *name, const char *text, mode_t mode)
{
	return scratch_write(s, name, text, strlen(text), mode);
}

#define SCRATCH_TEST(f)                                                        \
	cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

#endif
