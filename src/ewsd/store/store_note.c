/* Notes: facts for a command's history that change no state. */
#include <stdlib.h>
#include <string.h>

#include "ewsd/store/store_priv.h"
#include "lib/mem.h"

static sqlite3_stmt *
bind(sqlite3_stmt *q, int64_t at_ms, const char *note)
{
	sqlite3_bind_int64(q, 1, at_ms);
	db_bind(q, 2, note);
	sqlite3_bind_int(q, 3, HISTORY_MAX);
	return q;
}

bool
row_note(struct db *db, int64_t seq, int64_t at_ms, const char *note,
    struct err *err)
{
	sqlite3_stmt *q =
	    bind(db_sql(db, "INSERT INTO history (seq, n, at_ms, text)"
			    " SELECT ?4, coalesce(max(n), 0) + 1, ?1, ?2"
			    " FROM history WHERE seq = ?4"
			    " HAVING coalesce(max(n), 0) < ?3"),
		at_ms, note);

	sqlite3_bind_int64(q, 4, seq);
	return db_step(q, err);
}

struct notes {
	size_t n;
	struct store_remark all[];
};

static bool
notes_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	const struct notes *t = arg;

	(void)h;
	for (size_t i = 0; i < t->n; i++) {
		sqlite3_stmt *q = bind(
		    db_sql(db, "INSERT INTO history (seq, n, at_ms, text)"
			       " SELECT seq, max(n) + 1, ?1, ?2 FROM history"
			       " WHERE seq = (SELECT seq FROM commands"
			       " WHERE id = ?4) HAVING max(n) < ?3"),
		    t->all[i].at_ms, t->all[i].note);

		db_bind(q, 4, t->all[i].id);
		if (!db_step(q, err))
			return false;
	}
	return true;
}

static void
noted(void *arg, const struct err *err)
{
	(void)err;
	free(arg);
}

bool
store_notes(struct store *s, const struct store_remark *all, size_t n)
{
	struct notes *t = mem_alloc(sizeof *t + n * sizeof *all);

	t->n = n;
	memcpy(t->all, all, n * sizeof *all);
	if (db_submit(s->db, DB_LAZY, notes_job, noted, t, NULL))
		return true;
	free(t);
	return false;
}
