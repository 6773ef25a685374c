#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/port.h"
#include "lib/str.h"

enum { SECRET_MAX = 4096 };

/* How the errors of one kind of file are said. */
struct reader {
	const char *path;
	int status;
	const char *code;
	struct err *err;
};

__attribute__((format(printf, 2, 3))) static void
refuse(const struct reader *r, const char *fmt, ...)
{
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	err_set(r->err, r->status, r->code, "%s: %s", r->path, why);
}

/* Non-blocking, because opening a fifo would wait for a writer. */
static int
open_file(const struct reader *r, struct stat *st)
{
	int fd = open(r->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd == -1 || fstat(fd, st) == -1) {
		int saved = errno;

		refuse(r, "%s", strerror(saved));
		if (fd != -1)
			close(fd);
		errno = saved;
		return -1;
	}
	if (S_ISREG(st->st_mode))
		return fd;
	refuse(r, "is no regular file");
	close(fd);
	errno = EINVAL;
	return -1;
}

static bool
mode_ok(const struct reader *r, const struct stat *st, mode_t forbidden)
{
	if (st->st_uid != geteuid() && st->st_uid != 0) {
		refuse(r, "belongs to another user");
		return false;
	}
	if ((st->st_mode & forbidden) == 0)
		return true;
	if (str_eq(getenv("EWS_LOOSE_FILES"), "yes")) {
		log_warn("%s: open to others; taken because of EWS_LOOSE_FILES",
		    r->path);
		return true;
	}
	if (forbidden & S_IROTH)
		refuse(r, "others may read or write it; run chmod 600 on it");
	else
		refuse(r, "others may write to it; run chmod go-w on it");
	return false;
}

/* Reads to the end, whatever size fstat told: it may grow meanwhile. */
static char *
read_all(const struct reader *r, int fd, size_t max, size_t *len)
{
	size_t cap = max < 4096 ? max + 1 : 4096;
	char *bytes = mem_try(cap + 1);

	*len = 0;
	while (bytes != NULL) {
		ssize_t n = read(fd, bytes + *len, cap - *len);
		char *more;

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			refuse(r, "%s", strerror(errno));
			break;
		}
		*len += (size_t)n;
		if (*len > max) {
			refuse(r, "is larger than %zu bytes", max);
			break;
		}
		if (n == 0) {
			bytes[*len] = '\0';
			return bytes;
		}
		if (*len < cap)
			continue;
		cap = cap <= max / 2 ? cap * 2 : max + 1;
		more = mem_retry(bytes, cap + 1);
		if (more == NULL) {
			refuse(r, "%s", strerror(ENOMEM));
			break;
		}
		bytes = more;
	}
	free(bytes);
	return NULL;
}

static char *
read_file(const struct reader *r, size_t max, mode_t forbidden, size_t *len)
{
	struct stat st;
	char *bytes = NULL;
	int fd = open_file(r, &st);

	if (fd == -1)
		return NULL;
	if (forbidden == 0 || mode_ok(r, &st, forbidden))
		bytes = read_all(r, fd, max, len);
	close(fd);
	return bytes;
}

char *
path_read(const char *path, size_t max, size_t *len, struct err *err)
{
	struct reader r = { path, EXIT_IO, "io", err };

	return read_file(&r, max, 0, len);
}

char *
path_read_trusted(
    const char *path, size_t max, size_t *len, bool *absent, struct err *err)
{
	struct reader r = { path, EXIT_CONFIG, "config", err };
	char *bytes;

	errno = 0;
	bytes = read_file(&r, max, S_IWGRP | S_IWOTH, len);
	if (absent != NULL)
		*absent = bytes == NULL && errno == ENOENT;
	return bytes;
}

char *
path_read_secret(const char *path, struct err *err)
{
	struct reader r = { path, EXIT_CONFIG, "config", err };
	char *text;
	size_t len;

	if (str_eq(path, "-")) {
		refuse(&r, "a secret is not read from stdin");
		return NULL;
	}
	text = read_file(&r, SECRET_MAX, S_IRWXG | S_IRWXO, &len);
	if (text == NULL)
		return NULL;
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (len > 0 && memchr(text, '\0', len) == NULL)
		return text;
	refuse(&r, len == 0 ? "is empty" : "has a NUL byte");
	free(text);
	return NULL;
}

static bool
write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* The rename is on disk only when its directory is. */
static bool
sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_SIZE] = ".";
	int fd, n;

	if (slash != NULL) {
		str_copy(dir, sizeof dir, path);
		dir[slash == path ? 1 : slash - path] = '\0';
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return false;
	n = port_sync(fd);
	close(fd);
	/* some file systems cannot sync a directory and say EINVAL */
	return n == 0 || errno == EINVAL;
}

static bool
write_temporary(const char *path, const char *bytes, size_t len, int mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok;

	if (fd == -1)
		return false;
	ok = fchmod(fd, (mode_t)mode) == 0 && write_all(fd, bytes, len) &&
	     port_sync(fd) == 0;
	return close(fd) == 0 && ok;
}

bool
path_write(
    const char *path, const char *bytes, size_t len, int mode, struct err *err)
{
	char temporary[PATH_SIZE];
	uint64_t random;
	int n, saved;

	port_random(&random, sizeof random);
	n = snprintf(temporary, sizeof temporary, "%s.%016llx", path,
	    (unsigned long long)random);
	if (n < 0 || (size_t)n >= sizeof temporary) {
		errno = ENAMETOOLONG;
	} else if (write_temporary(temporary, bytes, len, mode) &&
		   rename(temporary, path) == 0) {
		if (sync_parent(path))
			return true;
	} else {
		saved = errno;
		unlink(temporary);
		errno = saved;
	}
	err_set(
	    err, EXIT_IO, "io", "cannot write %s: %s", path, strerror(errno));
	return false;
}
