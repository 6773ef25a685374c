/* The last of a command's output, kept with its end. */
#include <stdlib.h>
#include <string.h>

#include "ewsd/store/store_priv.h"
#include "lib/exit.h"
#include "lib/mem.h"

bool
output_write(
    struct db *db, int64_t seq, const struct store_kept *kept, struct err *err)
{
	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *q;

		if (kept->streams[i].len == 0)
			continue;
		q = db_sql(db,
		    "INSERT OR REPLACE INTO outputs VALUES (?1, ?2, ?3, ?4)");
		sqlite3_bind_int64(q, 1, seq);
		sqlite3_bind_int(q, 2, i);
		sqlite3_bind_int64(q, 3, kept->streams[i].first);
		sqlite3_bind_blob64(q, 4, kept->streams[i].bytes,
		    kept->streams[i].len, SQLITE_STATIC);
		if (!db_step(q, err))
			return false;
	}
	return true;
}

struct reading {
	char *id;
	store_kept_fn *fn;
	void *arg;
	struct store_kept kept;
	char *bytes[2];
};

static void
forget(struct reading *r)
{
	for (int i = 0; i < 2; i++) {
		free(r->bytes[i]);
		r->bytes[i] = NULL;
	}
	memset(&r->kept, 0, sizeof r->kept);
}

static bool
take_row(struct reading *r, sqlite3_stmt *q, struct err *err)
{
	int i = sqlite3_column_int(q, 0) == 0 ? 0 : 1;
	const void *bytes = sqlite3_column_blob(q, 2);
	size_t len = (size_t)sqlite3_column_bytes(q, 2);

	if (bytes == NULL || len == 0 || r->bytes[i] != NULL)
		return true;
	r->bytes[i] = mem_try(len);
	if (r->bytes[i] == NULL) {
		err_set(err, EXIT_RETRY, "too_many", "memory is out");
		return false;
	}
	memcpy(r->bytes[i], bytes, len);
	r->kept.streams[i].first = sqlite3_column_int64(q, 1);
	r->kept.streams[i].bytes = r->bytes[i];
	r->kept.streams[i].len = len;
	return true;
}

static bool
read_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct reading *r = arg;
	sqlite3_stmt *q = db_sql(db,
	    "SELECT stream, first, data FROM outputs JOIN commands USING (seq)"
	    " WHERE id = ?1");
	int got;

	(void)h;
	forget(r);
	db_bind(q, 1, r->id);
	while ((got = db_row(q, err)) == 1)
		if (!take_row(r, q, err))
			return false;
	return got == 0;
}

static void
reading_free(struct reading *r)
{
	forget(r);
	free(r->id);
	free(r);
}

static void
was_read(void *arg, const struct err *err)
{
	struct reading *r = arg;
	bool some = r->bytes[0] != NULL || r->bytes[1] != NULL;

	r->fn(r->arg, err == NULL && some ? &r->kept : NULL, err);
	reading_free(r);
}

bool
store_kept(struct store *s, const char *id, store_kept_fn *fn, void *arg,
    struct err *err)
{
	struct reading *r = mem_alloc(sizeof *r);

	r->id = mem_dup(id);
	r->fn = fn;
	r->arg = arg;
	if (db_submit(s->db, DB_MAY, read_job, was_read, r, err))
		return true;
	reading_free(r);
	return false;
}
