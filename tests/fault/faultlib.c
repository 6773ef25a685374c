/*
 * faultlib - a disk that fails when it is told to (LD_PRELOAD, Linux only)
 *
 *	FAULT_DIR=DIR     what is looked at: the files of DIR, but for *-shm,
 *	                  which is no data. Writes, truncations, syncs,
 *	                  renames and unlinks there are counted from 1.
 *	FAULT="HOW [every|from] N"
 *	                  what happens at the N-th, at every N-th, or from the
 *	                  N-th on while the file FAULT_WHILE is there:
 *	                  kill    SIGKILL in its place
 *	                  torn    half of the write, then SIGKILL
 *	                  enospc  it fails so (a removal does not)
 *	                  eio     it fails so
 *	FAULT_LOG=FILE    all of it is written down (record.h), and what goes
 *	                  into sockets, so that it is known what was promised
 *	FAULT_NOSYNC=1    no sync is done: a killed process needs none
 *	FAULT_NORMAL=1    SQLite's synchronous=FULL becomes NORMAL, on its way
 *	                  through sqlite3_exec: the mistake that the tests
 *	                  must be able to find
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "record.h"

enum what { OTHER, SOCKET, FILE_IN_DIR, DIR_ITSELF };
enum how { NONE, KILL, TORN, FAIL };

static struct {
	char dir[PATH_MAX];
	size_t dir_len; /* 0: nothing is looked at */
	enum how how;
	int error; /* of FAIL */
	bool every, from;
	long at, count;
	const char *only_while;
	int log;
	bool no_sync, normal;
	pthread_mutex_t lock;
} fault = { .log = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- set up ----------------------------------------------------------- */

static void
complain(const char *what)
{
	dprintf(2, "faultlib: %s\n", what);
	_exit(2);
}

static void
set_how(const char *text)
{
	char how[16], rule[16] = "";

	if (sscanf(text, "%15s %15s %ld", how, rule, &fault.at) != 3 &&
	    sscanf(text, "%15s %ld", how, &fault.at) != 2)
		complain("FAULT is not HOW [every|from] N");
	fault.every = strcmp(rule, "every") == 0;
	fault.from = strcmp(rule, "from") == 0;
	if (strcmp(how, "kill") == 0)
		fault.how = KILL;
	else if (strcmp(how, "torn") == 0)
		fault.how = TORN;
	else if (strcmp(how, "enospc") == 0 || strcmp(how, "eio") == 0)
		fault.how = FAIL;
	else
		complain("FAULT is none of kill, torn, enospc, eio");
	fault.error = how[1] == 'n' ? ENOSPC : EIO;
}

__attribute__((constructor)) static void
set_up(void)
{
	const char *dir = getenv("FAULT_DIR"), *how = getenv("FAULT");
	const char *log = getenv("FAULT_LOG");

	if (dir == NULL)
		return;
	if (realpath(dir, fault.dir) == NULL)
		complain("FAULT_DIR is not there");
	fault.dir_len = strlen(fault.dir);
	fault.only_while = getenv("FAULT_WHILE");
	fault.no_sync = getenv("FAULT_NOSYNC") != NULL;
	fault.normal = getenv("FAULT_NORMAL") != NULL;
	if (how != NULL)
		set_how(how);
	if (log == NULL)
		return;
	fault.log = (int)syscall(SYS_openat, AT_FDCWD, log,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fault.log == -1)
		complain("FAULT_LOG cannot be opened");
}

/* ---- the log; all of it under the lock -------------------------------- */

static void
note(enum record_op op, long place, const char *name, const void *bytes,
    size_t len, int64_t offset, int64_t start)
{
	struct record r = { RECORD_MAGIC, op, 0, (uint16_t)strlen(name),
		(uint32_t)len, (uint32_t)place, offset, start };
	struct iovec v[3] = { { &r, sizeof r }, { (char *)name, r.name_len },
		{ (void *)bytes, len } };
	size_t all = sizeof r + r.name_len + len;

	if (fault.log != -1 &&
	    syscall(SYS_writev, fault.log, v, 3) != (long)all)
		complain("the log cannot be written");
}

static int64_t
log_end(void)
{
	return fault.log == -1 ? 0 : lseek(fault.log, 0, SEEK_END);
}

/* ---- what is looked at ------------------------------------------------ */

static bool
is_shm(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, "-shm") == 0;
}

static enum what
what_path(const char *path, const char **name)
{
	*name = "";
	if (fault.dir_len == 0 || strncmp(path, fault.dir, fault.dir_len) != 0)
		return OTHER;
	if (path[fault.dir_len] == '\0')
		return DIR_ITSELF;
	if (path[fault.dir_len] != '/' || is_shm(path) ||
	    strstr(path, " (deleted)") != NULL)
		return OTHER;
	*name = path + fault.dir_len + 1;
	return FILE_IN_DIR;
}

static enum what
what_fd(int fd, char path[PATH_MAX], const char **name)
{
	char link[32];
	ssize_t len;

	*name = "";
	if (fault.dir_len == 0)
		return OTHER;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	len = readlink(link, path, PATH_MAX - 1);
	if (len <= 0)
		return OTHER;
	path[len] = '\0';
	return strncmp(path, "socket:", 7) == 0 ? SOCKET
						: what_path(path, name);
}

/* A path as the program gave it: relative ones are not expected. */
static enum what
what_name(const char *given, char path[PATH_MAX], const char **name)
{
	char copy[PATH_MAX];
	char *slash;

	*name = "";
	if (fault.dir_len == 0 || given[0] != '/' ||
	    strlen(given) >= sizeof copy)
		return OTHER;
	strcpy(copy, given);
	slash = strrchr(copy, '/');
	*slash = '\0';
	if (realpath(copy[0] != '\0' ? copy : "/", path) == NULL ||
	    strlen(path) + strlen(slash + 1) + 2 > PATH_MAX)
		return OTHER;
	strcat(path, "/");
	strcat(path, slash + 1);
	return what_path(path, name);
}

/* One more place for a fault: is it this one? Under the lock. */
static enum how
count(void)
{
	long n = ++fault.count;
	bool hit = fault.every  ? n % fault.at == 0
		   : fault.from ? n >= fault.at
				: n == fault.at;

	if (fault.how == NONE || !hit)
		return NONE;
	if (fault.only_while != NULL && access(fault.only_while, F_OK) == -1)
		return NONE;
	return fault.how;
}

static void
die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* ---- writes ----------------------------------------------------------- */

static ssize_t
raw_write(int fd, const void *bytes, size_t len, off_t offset, bool at)
{
	return at ? syscall(SYS_pwrite64, fd, bytes, len, offset)
		  : syscall(SYS_write, fd, bytes, len);
}

static ssize_t
write_file(int fd, const char *name, const void *bytes, size_t len,
    off_t offset, bool at)
{
	enum how how;
	ssize_t n;

	if (!at)
		offset = lseek(
		    fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
	pthread_mutex_lock(&fault.lock);
	how = count();
	if (how == KILL)
		die();
	if (how == FAIL) {
		pthread_mutex_unlock(&fault.lock);
		errno = fault.error;
		return -1;
	}
	if (how == TORN)
		len /= 2;
	note(RECORD_WRITE, fault.count, name, bytes, len, offset, 0);
	n = raw_write(fd, bytes, len, offset, at);
	if (how == TORN)
		die();
	pthread_mutex_unlock(&fault.lock);
	return n;
}

static void
note_sent(const struct iovec *v, size_t n)
{
	pthread_mutex_lock(&fault.lock);
	for (size_t i = 0; i < n; i++)
		note(RECORD_SENT, 0, "", v[i].iov_base, v[i].iov_len, 0, 0);
	pthread_mutex_unlock(&fault.lock);
}

static ssize_t
any_write(int fd, const void *bytes, size_t len, off_t offset, bool at)
{
	char path[PATH_MAX];
	const char *name;

	switch (what_fd(fd, path, &name)) {
	case FILE_IN_DIR:
		return write_file(fd, name, bytes, len, offset, at);
	case SOCKET:
		note_sent(&(struct iovec){ (void *)bytes, len }, 1);
		break;
	default:
		break;
	}
	return raw_write(fd, bytes, len, offset, at);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	return any_write(fd, bytes, len, 0, false);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	return any_write(fd, bytes, len, offset, true);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
	return any_write(fd, bytes, len, offset, true);
}

/* What this library does not know must not pass unseen. */
static void
gathers(int fd, const struct iovec *v, size_t n)
{
	char path[PATH_MAX];
	const char *name;
	enum what what = what_fd(fd, path, &name);

	if (what == FILE_IN_DIR)
		complain("a gathered write to a file: teach me");
	if (what == SOCKET)
		note_sent(v, n);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	gathers(fd, v, (size_t)n);
	return syscall(SYS_writev, fd, v, n);
}

ssize_t
pwritev(int fd, const struct iovec *v, int n, off_t offset)
{
	gathers(fd, v, (size_t)n);
	return syscall(SYS_pwritev, fd, v, n, offset, 0);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	gathers(fd, m->msg_iov, m->msg_iovlen);
	return syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t
send(int fd, const void *bytes, size_t len, int flags)
{
	gathers(fd, &(struct iovec){ (void *)bytes, len }, 1);
	return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

/* ---- syncs ------------------------------------------------------------ */

static int
any_sync(int fd, long call)
{
	char path[PATH_MAX];
	const char *name;
	enum what what = what_fd(fd, path, &name);
	enum how how;
	int64_t start;
	long place;
	int rc;

	if (what != FILE_IN_DIR && what != DIR_ITSELF)
		return (int)syscall(call, fd);
	pthread_mutex_lock(&fault.lock);
	how = count();
	place = fault.count;
	start = log_end();
	if (how == KILL || how == TORN)
		die();
	if (how == FAIL) {
		note(RECORD_SYNC_FAILED, place, name, "", 0, 0, start);
		pthread_mutex_unlock(&fault.lock);
		errno = fault.error;
		return -1;
	}
	pthread_mutex_unlock(&fault.lock);
	rc = fault.no_sync ? 0 : (int)syscall(call, fd);
	pthread_mutex_lock(&fault.lock);
	if (rc == 0)
		note(RECORD_SYNC, place, name, "", 0, 0, start);
	pthread_mutex_unlock(&fault.lock);
	return rc;
}

int
fsync(int fd)
{
	return any_sync(fd, SYS_fsync);
}

int
fdatasync(int fd)
{
	return any_sync(fd, SYS_fdatasync);
}

/* ---- sizes and names -------------------------------------------------- */

/* False with errno when it fails; else returns with the lock held. A full
 * disk removes all the same. */
static bool
enter(bool removes)
{
	enum how how;

	pthread_mutex_lock(&fault.lock);
	how = count();
	if (how == KILL || how == TORN)
		die();
	if (how != FAIL || (removes && fault.error == ENOSPC))
		return true;
	pthread_mutex_unlock(&fault.lock);
	errno = fault.error;
	return false;
}

int
ftruncate(int fd, off_t size)
{
	char path[PATH_MAX];
	const char *name;
	int rc;

	if (what_fd(fd, path, &name) != FILE_IN_DIR)
		return (int)syscall(SYS_ftruncate, fd, size);
	if (!enter(false))
		return -1;
	note(RECORD_TRUNCATE, fault.count, name, "", 0, size, 0);
	rc = (int)syscall(SYS_ftruncate, fd, size);
	pthread_mutex_unlock(&fault.lock);
	return rc;
}

int
ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

int
rename(const char *from, const char *to)
{
	char path[PATH_MAX], other[PATH_MAX];
	const char *name, *new_name;
	int rc;

	if (what_name(from, path, &name) != FILE_IN_DIR ||
	    what_name(to, other, &new_name) != FILE_IN_DIR)
		return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
	if (!enter(false))
		return -1;
	rc = (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
	if (rc == 0)
		note(RECORD_RENAME, fault.count, name, new_name,
		    strlen(new_name), 0, 0);
	pthread_mutex_unlock(&fault.lock);
	return rc;
}

int
unlink(const char *given)
{
	char path[PATH_MAX];
	const char *name;
	int rc;

	if (what_name(given, path, &name) != FILE_IN_DIR ||
	    access(path, F_OK) == -1)
		return (int)syscall(SYS_unlinkat, AT_FDCWD, given, 0);
	if (!enter(true))
		return -1;
	rc = (int)syscall(SYS_unlinkat, AT_FDCWD, given, 0);
	if (rc == 0)
		note(RECORD_UNLINK, fault.count, name, "", 0, 0, 0);
	pthread_mutex_unlock(&fault.lock);
	return rc;
}

static int
any_open(const char *given, int flags, mode_t mode)
{
	char path[PATH_MAX];
	const char *name;
	bool ours, new;
	int fd;

	ours = (flags & (O_CREAT | O_TRUNC)) != 0 &&
	       what_name(given, path, &name) == FILE_IN_DIR;
	new = ours &&access(path, F_OK) == -1;
	fd = (int)syscall(SYS_openat, AT_FDCWD, given, flags, mode);
	if (!ours || fd == -1)
		return fd;
	pthread_mutex_lock(&fault.lock);
	if (new)
		note(RECORD_CREATE, 0, name, "", 0, 0, 0);
	else if (flags & O_TRUNC)
		note(RECORD_TRUNCATE, 0, name, "", 0, 0, 0);
	pthread_mutex_unlock(&fault.lock);
	return fd;
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return any_open(path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return any_open(path, flags | O_LARGEFILE, mode);
}

/* ---- the mistake ------------------------------------------------------ */

typedef int row_fn(void *, int, char **, char **);
typedef int exec_fn(sqlite3 *, const char *, row_fn *, void *, char **);

int
sqlite3_exec(
    sqlite3 *db, const char *sql, row_fn *row, void *arg, char **message)
{
	static const char full[] = "synchronous=FULL";
	static const char less[] = "synchronous=NORMAL";
	const char *at = strstr(sql, full);
	exec_fn *next;
	char *copy;
	int rc;

	*(void **)&next = dlsym(RTLD_NEXT, "sqlite3_exec");
	if (!fault.normal || at == NULL)
		return next(db, sql, row, arg, message);
	if (asprintf(&copy, "%.*s%s%s", (int)(at - sql), sql, less,
		at + strlen(full)) == -1)
		abort();
	rc = next(db, copy, row, arg, message);
	free(copy);
	return rc;
}
