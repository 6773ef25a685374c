#include "ewsctl/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ewsctl/emit.h"
#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/path.h"

struct spill {
	struct buf mem;
	int fd; /* of the file behind it; -1: none yet */
	uint64_t in_file, lost;
};

struct spill *
spill_new(void)
{
	struct spill *s = mem_alloc(sizeof *s);

	buf_init(&s->mem, SPILL_MEMORY);
	s->fd = -1;
	return s;
}

void
spill_free(struct spill *s)
{
	if (s == NULL)
		return;
	buf_fini(&s->mem);
	if (s->fd != -1)
		close(s->fd);
	free(s);
}

static int
open_nameless(void)
{
	const char *dir = getenv("TMPDIR");
	char path[PATH_SIZE];
	int fd;

	if (dir == NULL || *dir != '/')
		dir = "/tmp";
	if (!path_join(path, dir, "ewsctl.XXXXXX", NULL))
		return -1;
	fd = mkstemp(path);
	if (fd == -1)
		return -1;
	unlink(path);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

static void
add_to_file(struct spill *s, const char *bytes, size_t len)
{
	if (s->fd == -1)
		s->fd = open_nameless();
	while (len > 0 && s->in_file + len <= SPILL_MAX) {
		ssize_t n = write(s->fd, bytes, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* a full disk */
		bytes += n;
		len -= (size_t)n;
		s->in_file += (uint64_t)n;
	}
	s->lost += len;
}

/* Once something is lost nothing follows it: no hole in the middle. */
void
spill_add(struct spill *s, const void *bytes, size_t len)
{
	if (s->lost > 0)
		s->lost += len;
	else if (s->in_file == 0 && s->mem.len + len <= SPILL_MEMORY)
		buf_add(&s->mem, bytes, len);
	else
		add_to_file(s, bytes, len);
}

uint64_t
spill_lost(const struct spill *s)
{
	return s->lost;
}

void
spill_emit(struct spill *s, int fd)
{
	char piece[65536];
	ssize_t n;

	if (s->mem.len > 0)
		emit(fd, s->mem.bytes, s->mem.len);
	if (s->in_file == 0 || lseek(s->fd, 0, SEEK_SET) == -1)
		return;
	while ((n = read(s->fd, piece, sizeof piece)) > 0)
		emit(fd, piece, (size_t)n);
	lseek(s->fd, 0, SEEK_END);
}
