#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/db_priv.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/port.h"
#include "lib/prog.h"

enum { LEFT_MS = 5000, LEFT_STEP_MS = 10 };

/* ---- the lock --------------------------------------------------------- */

/*
 * PATH.lock holds the process id while the database is open, and nothing
 * after it was closed well. An unclean end without a WAL file means that
 * somebody removed commits, for the file exists as long as the database
 * is open.
 */
static long
holder(int fd)
{
	char text[32] = "";

	if (pread(fd, text, sizeof text - 1, 0) <= 0)
		return 0;
	return strtol(text, NULL, 10);
}

static bool
is_alive(long pid)
{
	return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

/* Who was killed may have left a child that has not executed its program
 * yet: until then it has the lock, too. */
static bool
lock_soon(int fd)
{
	const struct timespec step = { .tv_nsec = LEFT_STEP_MS * 1000000L };

	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB) == -1;
	     ms += LEFT_STEP_MS) {
		if (errno != EWOULDBLOCK || ms >= LEFT_MS ||
		    is_alive(holder(fd)))
			return false;
		nanosleep(&step, NULL);
	}
	return true;
}

bool
db_lock(struct db *d, bool *unclean, struct err *err)
{
	char *path = mem_printf("%s.lock", d->path);
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd == -1) {
		err_set(err, EXIT_CONFIG, "config", "cannot open %s: %s", path,
		    strerror(errno));
	} else if (!lock_soon(fd)) {
		err_set(err, EXIT_CONFIG, "config",
		    "%s is in use by another %s (pid %ld)", d->path,
		    prog_name(), holder(fd));
		close(fd);
		fd = -1;
	}
	free(path);
	d->lock_fd = fd;
	if (fd != -1)
		*unclean = holder(fd) != 0;
	return fd != -1;
}

bool
db_lock_mark(struct db *d, bool open)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (ftruncate(d->lock_fd, 0) == 0 &&
	    (!open || pwrite(d->lock_fd, text, (size_t)len, 0) == len) &&
	    port_sync(d->lock_fd) == 0)
		return true;
	log_warn("%s.lock: %s", d->path, strerror(errno));
	return false;
}

void
db_unlock(struct db *d)
{
	if (d->lock_fd != -1)
		close(d->lock_fd);
	d->lock_fd = -1;
}

/* ---- the look before it is opened ------------------------------------- */

static bool
refuse(const struct db *d, struct err *err, const char *why)
{
	err_set(err, EXIT_CONFIG, "config", "%s %s", d->path, why);
	return false;
}

static uint32_t
be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* SQLite's file format, section 1.3 ("The Database Header"). */
enum { HEADER = 100, PAGE_SIZE = 16, PAGES = 28, VERSION = 60, APP_ID = 68 };

static bool
header_ok(struct db *d, int fd, int64_t size, int64_t wal, struct err *err)
{
	unsigned char h[HEADER];
	int64_t page;

	if (pread(fd, h, sizeof h, 0) != HEADER)
		return refuse(d, err,
		    "is truncated: restore a backup, or move "
		    "it away to start empty");
	if (memcmp(h, "SQLite format 3", 16) != 0)
		return refuse(d, err, "is no SQLite database: move it away");
	if (be32(h + APP_ID) != (uint32_t)d->application_id)
		return refuse(d, err,
		    "belongs to another program: move it away "
		    "or name another file");
	if (be32(h + VERSION) > (uint32_t)d->version)
		return refuse(d, err,
		    "was written by a newer version of this "
		    "program: upgrade, or restore a backup");
	page = h[PAGE_SIZE] << 8 | h[PAGE_SIZE + 1];
	if (page == 1)
		page = 65536;
	/* a page that a broken-off checkpoint owes is still in the WAL */
	if (size + wal < page * be32(h + PAGES))
		return refuse(d, err,
		    "is truncated: restore a backup, or use "
		    "sqlite3's \".recover\"");
	return true;
}

static bool
ours(struct db *d, int fd, struct stat *st, struct err *err)
{
	if (fstat(fd, st) == -1 || !S_ISREG(st->st_mode))
		return refuse(d, err, "is no regular file");
	if (st->st_uid != geteuid())
		return refuse(d, err, "is owned by another user");
	if ((st->st_mode & 077) == 0)
		return true;
	if (fchmod(fd, 0600) == -1)
		return refuse(d, err, "can be read by others");
	log_warn("%s: was open to others (mode %03o), now 600", d->path,
	    (unsigned)st->st_mode & 0777);
	return true;
}

/* The size of PATH-wal, -1 if there is none, -2 if it is no plain file. */
static int64_t
wal_size(const struct db *d)
{
	char *path = mem_printf("%s-wal", d->path);
	struct stat st;
	int64_t size = -1;

	if (lstat(path, &st) == 0)
		size = S_ISREG(st.st_mode) ? (int64_t)st.st_size : -2;
	free(path);
	return size;
}

static bool
look_at(struct db *d, int fd, bool unclean, struct err *err)
{
	int64_t wal = wal_size(d);
	struct stat st;

	if (!ours(d, fd, &st, err))
		return false;
	if (wal == -2)
		return refuse(d, err,
		    "has a -wal file beside it that is no regular file");
	if (unclean && wal == -1)
		return refuse(d, err,
		    "has lost its -wal file, and with it the "
		    "last commands: put it back; after restoring "
		    "a backup remove the .lock file");
	return header_ok(d, fd, st.st_size, wal > 0 ? wal : 0, err);
}

bool
db_look(struct db *d, bool unclean, bool *absent, struct err *err)
{
	int fd = open(d->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	bool ok;

	*absent = fd == -1 && errno == ENOENT;
	if (*absent) {
		if (!unclean && wal_size(d) <= 0)
			return true;
		return refuse(d, err,
		    "is gone, but was in use: put it back, or "
		    "remove its -wal and .lock to start empty");
	}
	if (fd == -1 && errno == ELOOP)
		return refuse(
		    d, err, "is a symbolic link: name the file itself");
	if (fd == -1) {
		err_set(err, EXIT_CONFIG, "config", "cannot open %s: %s",
		    d->path, strerror(errno));
		return false;
	}
	ok = look_at(d, fd, unclean, err);
	close(fd); /* before SQLite: a close drops all locks of the process */
	return ok;
}
