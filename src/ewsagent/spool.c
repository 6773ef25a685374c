#include "ewsagent/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/sha256.h"

struct spool {
	int fd; /* -1: the file does not grow any more */
	uint64_t keep;
	struct sha256 sum;
	struct run_stream seen; /* all but the digest */
};

struct spool *
spool_new(int dir, const char *name, uint64_t keep)
{
	struct spool *s = mem_alloc(sizeof *s);

	sha256_init(&s->sum);
	s->keep = keep;
	s->fd = -1;
	if (keep > 0)
		s->fd = openat(dir, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return s;
}

void
spool_stop(struct spool *s)
{
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
}

void
spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	spool_stop(s);
	free(s);
}

static void
remember(struct run_stream *s, const char *bytes, size_t len)
{
	size_t stay = s->tail_len;

	if (len >= RUN_TAIL) {
		memcpy(s->tail, bytes + len - RUN_TAIL, RUN_TAIL);
		s->tail_len = RUN_TAIL;
		return;
	}
	if (stay > RUN_TAIL - len)
		stay = RUN_TAIL - len;
	memmove(s->tail, s->tail + s->tail_len - stay, stay);
	memcpy(s->tail + stay, bytes, len);
	s->tail_len = stay + len;
}

static void
keep(struct spool *s, const char *bytes, size_t len)
{
	size_t want = len, done = 0;
	ssize_t n;

	if (want > s->keep - s->seen.kept)
		want = (size_t)(s->keep - s->seen.kept);
	while (done < want) {
		n = pwrite(
		    s->fd, bytes + done, want - done, (off_t)s->seen.kept);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
		s->seen.kept += (uint64_t)n;
	}
	if (done < len) /* a gap must not follow: what is kept is a start */
		spool_stop(s);
}

void
spool_add(struct spool *s, const char *bytes, size_t len)
{
	s->seen.bytes += len;
	sha256_add(&s->sum, bytes, len);
	remember(&s->seen, bytes, len);
	if (s->fd != -1)
		keep(s, bytes, len);
}

uint64_t
spool_kept(const struct spool *s)
{
	return s->seen.kept;
}

void
spool_sum(const struct spool *s, struct run_stream *out)
{
	*out = s->seen;
	sha256_hex(&s->sum, out->digest);
}
