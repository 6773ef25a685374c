#include "disk.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 4096, NAMES_MAX = 8192, SECTOR = 512 };

/* A write or a truncation that no sync has covered yet. */
struct pending {
	struct pending *next;
	bool truncates;
	int64_t offset, at;
	const char *bytes;
	size_t len;
};

struct file {
	char *bytes; /* what is on disk for certain */
	size_t len, cap;
	struct pending *first, **last;
};

/* A name that came, went or moved. */
struct naming {
	char op; /* of enum record_op */
	char name[NAME_MAX + 1], other[NAME_MAX + 1];
	struct file *file;
	int64_t at;
};

struct entry {
	char name[NAME_MAX + 1];
	struct file *file;
};

struct names {
	struct entry at[FILES_MAX];
	size_t n;
};

struct disk {
	uint64_t chance;
	bool strict;
	struct file *files[FILES_MAX];
	size_t n_files;
	struct names seen; /* by the program */
	struct naming log[NAMES_MAX];
	size_t n_log, n_safe; /* the first n_safe are on disk */
	struct names left; /* after the cut */
};

/* xorshift64* */
uint64_t
disk_chance(struct disk *d, uint64_t n)
{
	d->chance ^= d->chance >> 12;
	d->chance ^= d->chance << 25;
	d->chance ^= d->chance >> 27;
	return (d->chance * UINT64_C(2685821657736338717) >> 33) % n;
}

struct disk *
disk_new(uint64_t seed, bool strict)
{
	struct disk *d = calloc(1, sizeof *d);

	if (d == NULL)
		err(2, "memory");
	d->chance = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	d->strict = strict;
	return d;
}

void
disk_free(struct disk *d)
{
	for (size_t i = 0; i < d->n_files; i++) {
		struct file *f = d->files[i];

		while (f->first != NULL) {
			struct pending *p = f->first;

			f->first = p->next;
			free(p);
		}
		free(f->bytes);
		free(f);
	}
	free(d);
}

/* ---- names ------------------------------------------------------------ */

static struct entry *
find(struct names *n, const char *name)
{
	for (size_t i = 0; i < n->n; i++)
		if (strcmp(n->at[i].name, name) == 0)
			return &n->at[i];
	return NULL;
}

static void
take_away(struct names *n, const char *name)
{
	struct entry *e = find(n, name);

	if (e != NULL)
		*e = n->at[--n->n];
}

static void
apply_name(struct names *n, const struct naming *x)
{
	struct entry *e;

	if (x->op == RECORD_UNLINK || x->op == RECORD_RENAME)
		take_away(n, x->name);
	if (x->op == RECORD_UNLINK)
		return;
	take_away(n, x->op == RECORD_RENAME ? x->other : x->name);
	if (n->n == FILES_MAX)
		errx(2, "too many files");
	e = &n->at[n->n++];
	strcpy(e->name, x->op == RECORD_RENAME ? x->other : x->name);
	e->file = x->file;
}

static void
name_changes(struct disk *d, char op, const char *name, const char *other,
    struct file *file, int64_t at)
{
	struct naming *x = &d->log[d->n_log];

	if (d->n_log++ == NAMES_MAX || strchr(name, '/') != NULL)
		errx(2, "%s: too many names, or a folder", name);
	*x = (struct naming){ .op = op, .file = file, .at = at };
	snprintf(x->name, sizeof x->name, "%s", name);
	snprintf(x->other, sizeof x->other, "%s", other);
	apply_name(&d->seen, x);
}

static struct file *
file_of(struct disk *d, const char *name, int64_t at)
{
	struct entry *e = find(&d->seen, name);
	struct file *f;

	if (e != NULL)
		return e->file;
	f = calloc(1, sizeof *f);
	if (f == NULL || d->n_files == FILES_MAX)
		errx(2, "too many files");
	f->last = &f->first;
	d->files[d->n_files++] = f;
	name_changes(d, RECORD_CREATE, name, "", f, at);
	return f;
}

/* ---- bytes ------------------------------------------------------------ */

static void
resize(struct file *f, size_t len)
{
	if (len > f->cap) {
		f->cap = len * 2;
		f->bytes = realloc(f->bytes, f->cap);
		if (f->bytes == NULL)
			err(2, "memory");
	}
	if (len > f->len)
		memset(f->bytes + f->len, 0, len - f->len);
	f->len = len;
}

static void
put(struct file *f, const char *bytes, size_t len, size_t offset)
{
	if (len == 0)
		return;
	if (offset + len > f->len)
		resize(f, offset + len);
	memcpy(f->bytes + offset, bytes, len);
}

static void
apply(struct file *f, const struct pending *p)
{
	if (p->truncates)
		resize(f, (size_t)p->offset);
	else
		put(f, p->bytes, p->len, (size_t)p->offset);
}

/* Some of its sectors, which are those of the disk and not of the write. */
static void
apply_torn(struct disk *d, struct file *f, const struct pending *p)
{
	size_t at = (size_t)p->offset, end = at + p->len;

	if (p->truncates) {
		if (disk_chance(d, 2) == 0)
			apply(f, p);
		return;
	}
	while (at < end) {
		size_t stop = (at / SECTOR + 1) * SECTOR;

		if (stop > end)
			stop = end;
		if (disk_chance(d, 2) == 0)
			put(f, p->bytes + (at - (size_t)p->offset), stop - at,
			    at);
		at = stop;
	}
}

static void
add(struct file *f, const struct record *r, const char *bytes, int64_t at)
{
	struct pending *p = calloc(1, sizeof *p);

	if (p == NULL)
		err(2, "memory");
	*p = (struct pending){ NULL, r->op == RECORD_TRUNCATE, r->offset, at,
		bytes, r->len };
	*f->last = p;
	f->last = &p->next;
}

/* What was written before 'start' is on disk; if the sync failed, chance
 * says what: the system has forgotten which pages those were. */
static void
sync_file(struct disk *d, struct file *f, int64_t start, bool failed)
{
	struct pending *p;

	while ((p = f->first) != NULL && p->at < start) {
		if (failed)
			apply_torn(d, f, p);
		else
			apply(f, p);
		f->first = p->next;
		free(p);
	}
	if (f->first == NULL)
		f->last = &f->first;
}

static void
sync_names(struct disk *d, int64_t start)
{
	while (d->n_safe < d->n_log && d->log[d->n_safe].at < start)
		d->n_safe++;
}

void
disk_feed(struct disk *d, const struct record *r, const char *name,
    const char *bytes, int64_t at)
{
	struct entry *e;

	switch (r->op) {
	case RECORD_CREATE:
		file_of(d, name, at);
		break;
	case RECORD_WRITE:
	case RECORD_TRUNCATE:
		add(file_of(d, name, at), r, bytes, at);
		break;
	case RECORD_SYNC:
	case RECORD_SYNC_FAILED:
		if (r->op == RECORD_SYNC && (!d->strict || name[0] == '\0'))
			sync_names(d, r->start);
		if (name[0] != '\0')
			sync_file(d, file_of(d, name, at), r->start,
			    r->op == RECORD_SYNC_FAILED);
		break;
	case RECORD_RENAME:
	case RECORD_UNLINK:
		e = find(&d->seen, name);
		if (e != NULL)
			name_changes(d, (char)r->op, name, bytes, e->file, at);
		break;
	}
}

/* ---- the cut ---------------------------------------------------------- */

/* Nothing, everything, some, or the first ones with the last of them torn:
 * disks do each. */
static void
settle(struct disk *d, struct file *f)
{
	uint64_t way = disk_chance(d, 4), n = 0;
	struct pending *p;

	for (p = f->first; p != NULL; p = p->next)
		n++;
	n = way == 3 ? disk_chance(d, n + 1) : n;
	for (p = f->first; p != NULL && way != 0; p = p->next) {
		if (way == 1 || (way == 3 && n > 1))
			apply(f, p);
		else if (way == 2 || n == 1)
			apply_torn(d, f, p);
		n -= n > 0;
	}
}

static void
empty(const char *dir)
{
	DIR *list = opendir(dir);
	struct dirent *e;

	if (list == NULL)
		err(2, "%s", dir);
	while ((e = readdir(list)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(list), e->d_name, 0);
	closedir(list);
}

static void
write_out(const char *dir, const struct entry *e)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, e->name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd == -1 ||
	    (e->file->len > 0 && write(fd, e->file->bytes, e->file->len) !=
				     (ssize_t)e->file->len))
		err(2, "%s", path);
	close(fd);
}

void
disk_cut(struct disk *d, const char *dir)
{
	size_t n = d->n_safe + disk_chance(d, d->n_log - d->n_safe + 1);

	for (size_t i = 0; i < d->n_files; i++)
		settle(d, d->files[i]);
	for (size_t i = 0; i < n; i++)
		apply_name(&d->left, &d->log[i]);
	empty(dir);
	for (size_t i = 0; i < d->left.n; i++)
		write_out(dir, &d->left.at[i]);
}
