#include "ewsagent/spool.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/secret.h"
#include "lib/str.h"

enum { DIGEST_BYTES = 32 };

struct spools {
	int dir;
	uint64_t bytes, max;
	spools_room_fn *room;
	void *arg;
};

struct spool {
	struct spools *set;
	char *name; /* NULL: no file */
	int fd; /* -1: not open, the end has come */
	uint64_t bytes, kept, keep;
	bool full, dropped, ended;
	EVP_MD_CTX *sha;
	char digest[SPOOL_DIGEST_SIZE];
	size_t tail_len;
	char tail[SPOOL_TAIL];
};

/* Their commands ended as interrupted, or were told to the end. */
static void
sweep(int dir)
{
	int copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	DIR *d = copy == -1 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (d == NULL) {
		if (copy != -1)
			close(copy);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
		    unlinkat(dir, e->d_name, 0) == -1)
			log_warn("spool: %s stays: %s", log_q(e->d_name),
			    strerror(errno));
	}
	closedir(d);
}

struct spools *
spools_new(const char *dir, uint64_t max, spools_room_fn *room, void *arg,
    struct err *err)
{
	struct spools *set;
	int fd;

	if (!path_private_dir(dir, err))
		return NULL;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1) {
		err_set(
		    err, EXIT_IO, "io", "spool %s: %s", dir, strerror(errno));
		return NULL;
	}
	sweep(fd);
	set = mem_alloc(sizeof *set);
	set->dir = fd;
	set->max = max;
	set->room = room;
	set->arg = arg;
	return set;
}

void
spools_free(struct spools *set)
{
	if (set == NULL)
		return;
	assert(set->bytes == 0);
	close(set->dir);
	free(set);
}

uint64_t
spools_bytes(const struct spools *set)
{
	return set->bytes;
}

/* Ids may hold what file names cannot: their digest cannot collide. */
static void
create(struct spool *s, const char *id, const char *stream)
{
	char hex[65];

	secret_sha256_hex(hex, id, strlen(id));
	s->name = mem_printf("%s.%s", hex, stream);
	s->fd = openat(s->set->dir, s->name,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->fd != -1)
		return;
	log_warn(
	    "spool: output of %s is not kept: %s", log_q(id), strerror(errno));
	free(s->name);
	s->name = NULL;
	s->full = true;
}

struct spool *
spool_new(struct spools *set, const char *id, const char *stream, uint64_t keep)
{
	struct spool *s = mem_alloc(sizeof *s);

	s->set = set;
	s->keep = keep;
	s->fd = -1;
	s->sha = EVP_MD_CTX_new();
	if (s->sha == NULL ||
	    EVP_DigestInit_ex(s->sha, EVP_sha256(), NULL) != 1)
		abort();
	if (keep > 0)
		create(s, id, stream);
	else
		s->dropped = true;
	return s;
}

void
spool_drop(struct spool *s)
{
	s->dropped = true;
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
	if (s->name != NULL)
		unlinkat(s->set->dir, s->name, 0);
	free(s->name);
	s->name = NULL;
	s->set->bytes -= s->kept;
	s->kept = 0;
}

void
spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	spool_drop(s);
	EVP_MD_CTX_free(s->sha);
	free(s);
}

static void
remember(struct spool *s, const char *bytes, size_t len)
{
	size_t stay = s->tail_len;

	if (len >= SPOOL_TAIL) {
		memcpy(s->tail, bytes + len - SPOOL_TAIL, SPOOL_TAIL);
		s->tail_len = SPOOL_TAIL;
		return;
	}
	if (stay > SPOOL_TAIL - len)
		stay = SPOOL_TAIL - len;
	memmove(s->tail, s->tail + s->tail_len - stay, stay);
	memcpy(s->tail + stay, bytes, len);
	s->tail_len = stay + len;
}

/* How many of 'len' bytes the bounds allow. */
static size_t
allowed(struct spool *s, size_t len)
{
	struct spools *set = s->set;

	if (len > s->keep - s->kept)
		len = (size_t)(s->keep - s->kept);
	while (set->bytes + len > set->max && set->room(set->arg))
		continue;
	if (len > set->max - set->bytes)
		len = (size_t)(set->max - set->bytes);
	return len;
}

static void
keep(struct spool *s, const char *bytes, size_t len)
{
	size_t want = allowed(s, len), done = 0;
	ssize_t n;

	while (done < want) {
		n = pwrite(s->fd, bytes + done, want - done, (off_t)s->kept);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_limited(
			    "spool", LOG_WARN, "spool: %s", strerror(errno));
			break;
		}
		done += (size_t)n;
		s->kept += (uint64_t)n;
		s->set->bytes += (uint64_t)n;
	}
	/* a gap must not follow: what is kept is a beginning */
	s->full = done < len;
}

void
spool_add(struct spool *s, const char *bytes, size_t len)
{
	assert(!s->ended);
	s->bytes += len;
	EVP_DigestUpdate(s->sha, bytes, len);
	remember(s, bytes, len);
	if (!s->full && !s->dropped)
		keep(s, bytes, len);
}

void
spool_end(struct spool *s)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];

	if (s->ended)
		return;
	s->ended = true;
	EVP_DigestFinal_ex(s->sha, bytes, NULL);
	str_hex(s->digest, bytes, DIGEST_BYTES);
	if (s->fd != -1) /* many ends may wait: read by opening */
		close(s->fd);
	s->fd = -1;
}

uint64_t
spool_bytes(const struct spool *s)
{
	return s->bytes;
}

uint64_t
spool_kept(const struct spool *s)
{
	return s->kept;
}

bool
spool_truncated(const struct spool *s)
{
	return s->full;
}

bool
spool_final(const struct spool *s)
{
	return s->ended || s->full || s->dropped;
}

size_t
spool_read(const struct spool *s, uint64_t offset, char *dst, size_t size)
{
	int fd = s->fd;
	ssize_t n;

	if (s->name == NULL)
		return 0;
	if (fd == -1)
		fd = openat(
		    s->set->dir, s->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return 0;
	do
		n = pread(fd, dst, size, (off_t)offset);
	while (n == -1 && errno == EINTR);
	if (fd != s->fd)
		close(fd);
	return n > 0 ? (size_t)n : 0;
}

const char *
spool_digest(const struct spool *s)
{
	assert(s->ended);
	return s->digest;
}

const char *
spool_tail(const struct spool *s, size_t *len)
{
	*len = s->tail_len;
	return s->tail;
}
