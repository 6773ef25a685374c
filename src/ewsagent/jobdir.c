#include "ewsagent/jobdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/sha256.h"
#include "lib/str.h"

enum { RECORD_MAX = 16384, SEAL_LEN = 5 + 64 + 1 }; /* "seal HEX\n" */

void
jobdir_name(char out[JOBDIR_NAME_SIZE], const char *id)
{
	char hex[65];

	sha256_of(hex, id, strlen(id));
	memcpy(out, hex, JOBDIR_NAME_SIZE - 1);
	out[JOBDIR_NAME_SIZE - 1] = '\0';
}

int
jobdir_open(int jobs, const char *name)
{
	return openat(
	    jobs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* A flat directory: we never make another inside. */
static void
empty(int dir)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy == -1 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (d == NULL) {
		if (copy != -1)
			close(copy);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			unlinkat(dir, e->d_name, 0);
	closedir(d);
}

bool
jobdir_remove(int jobs, const char *name)
{
	int dir = jobdir_open(jobs, name);

	if (dir == -1)
		return errno == ENOENT;
	empty(dir);
	close(dir);
	return unlinkat(jobs, name, AT_REMOVEDIR) == 0;
}

int
jobdir_make(int jobs, const char *name)
{
	if (mkdirat(jobs, name, 0700) == -1 &&
	    (errno != EEXIST || !jobdir_remove(jobs, name) ||
		mkdirat(jobs, name, 0700) == -1))
		return -1;
	return jobdir_open(jobs, name);
}

int
jobdir_lock(int dir, bool make)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0);
	int fd = openat(dir, "lock", flags, 0600), saved;

	if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

bool
jobdir_held(int dir)
{
	int fd = jobdir_lock(dir, false);

	if (fd == -1)
		return errno == EWOULDBLOCK;
	close(fd);
	errno = 0;
	return false;
}

bool
jobdir_is_short(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM ||
	       error == ENOLCK;
}

static bool
write_all(int fd, const char *bytes, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, bytes, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
write_file(int dir, const char *name, const char *bytes, size_t len, bool sync)
{
	int saved,
	    fd = openat(dir, name,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd == -1)
		return false;
	if (write_all(fd, bytes, len) && (!sync || port_sync(fd) == 0))
		return close(fd) == 0;
	saved = errno;
	close(fd);
	unlinkat(dir, name, 0);
	errno = saved;
	return false;
}

bool
jobdir_write(int dir, const char *name, const char *bytes, size_t len)
{
	return write_file(dir, name, bytes, len, false);
}

char *
jobdir_read(int dir, const char *name, size_t max, size_t *len)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t size, got = 0;
	struct stat st;
	char *text;
	ssize_t n;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == -1 || (uintmax_t)st.st_size > max) {
		close(fd);
		errno = EFBIG;
		return NULL;
	}
	size = (size_t)st.st_size;
	text = mem_try(size + 1);
	if (text == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	while (got < size) {
		n = read(fd, text + got, size - got);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	close(fd);
	text[got] = '\0';
	if (len != NULL)
		*len = got;
	return text;
}

bool
jobdir_start(int dir, int64_t wall_ms)
{
	char boot[PORT_BOOT_SIZE], text[PORT_BOOT_SIZE + 32];
	int len;

	port_boot_id(boot);
	len = snprintf(text, sizeof text, "%s %" PRId64 "\n", boot, wall_ms);
	return jobdir_write(dir, "started", text, (size_t)len);
}

bool
jobdir_started(int dir, struct jobdir_started *s)
{
	char *text = jobdir_read(dir, "started", RECORD_MAX, NULL);

	memset(s, 0, sizeof *s);
	if (text == NULL) /* there it is, all the same */
		return errno != ENOENT && !jobdir_is_short(errno);
	if (sscanf(text, "%63s %" SCNd64, s->boot, &s->ms) != 2)
		s->ms = 0;
	free(text);
	return true;
}

/* ---- records that are whole or none ----------------------------------- */

static void
seal_of(char out[SEAL_LEN + 1], const char *text, size_t len)
{
	char hex[65];

	sha256_of(hex, text, len);
	snprintf(out, SEAL_LEN + 1, "seal %s\n", hex);
}

/* 'text' is taken. */
static bool
put_sealed(int dir, const char *name, char *text, bool sync)
{
	char seal[SEAL_LEN + 1], tmp[32];
	char *whole;
	bool ok;

	seal_of(seal, text, strlen(text));
	whole = mem_printf("%s%s", text, seal);
	snprintf(tmp, sizeof tmp, "%s.tmp", name);
	ok = write_file(dir, tmp, whole, strlen(whole), sync) &&
	     renameat(dir, tmp, dir, name) == 0;
	free(whole);
	free(text);
	return ok;
}

/* Gives the text without its seal, or NULL. */
static char *
get_sealed(int dir, const char *name)
{
	char seal[SEAL_LEN + 1];
	size_t len;
	char *text = jobdir_read(dir, name, RECORD_MAX, &len);

	if (text == NULL)
		return NULL;
	if (len > SEAL_LEN) {
		seal_of(seal, text, len - SEAL_LEN);
		if (str_eq(text + len - SEAL_LEN, seal)) {
			text[len - SEAL_LEN] = '\0';
			return text;
		}
	}
	free(text);
	errno = EBADMSG;
	return NULL;
}

bool
jobdir_put_end(int dir, const struct run_end *end)
{
	return put_sealed(dir, "end", run_end_text(end), false);
}

/* After the rename, so that this is on the disk with it. */
bool
jobdir_sync_end(int dir)
{
	int fd = openat(dir, "end", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool ok;

	if (fd == -1)
		return errno == ENOENT; /* the agent has read it */
	ok = port_sync(fd) == 0;
	close(fd);
	return ok;
}

bool
jobdir_put_failed(int dir, bool later, const char *error)
{
	return put_sealed(dir, "failed",
	    mem_printf("ews-failed 1\n%d\n%s\n", later, error), true);
}

bool
jobdir_end(int dir, struct run_end *end)
{
	char *text = get_sealed(dir, "end");
	bool ok;

	if (text == NULL)
		return false;
	ok = run_end_parse(end, text);
	free(text);
	errno = EBADMSG;
	return ok;
}

bool
jobdir_failed(int dir, bool *later, struct err *err)
{
	char *text = get_sealed(dir, "failed"), *save;
	char *flag, *error;

	if (text == NULL)
		return false;
	strtok_r(text, "\n", &save);
	flag = strtok_r(NULL, "\n", &save);
	error = strtok_r(NULL, "\n", &save);
	*later = str_eq(flag, "1");
	err_set(err, EXIT_NOT_STARTED, "internal", "%s",
	    error != NULL ? error : "it could not be started");
	free(text);
	return true;
}
