/* What an agent's link went through: the newest lines of each. */
#include <stdlib.h>
#include <string.h>

#include "ewsd/store/store_priv.h"
#include "lib/mem.h"
#include "lib/str.h"

struct lines {
	unsigned keep; /* of one agent; or, to read: how many */
	char agent[129]; /* to read */
	store_done_fn *done;
	store_agent_lines_fn *fn;
	void *arg;
	size_t n;
	struct store_agent_line all[];
};

static bool
add_line(struct db *db, const struct store_agent_line *l, struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "INSERT INTO agent_log SELECT ?1, coalesce(max(n), 0) + 1,"
	    " ?2, ?3, ?4 FROM agent_log WHERE agent = ?1");

	db_bind(q, 1, l->agent);
	sqlite3_bind_int64(q, 2, l->at_ms);
	db_bind(q, 3, l->what);
	db_bind(q, 4, l->text);
	return db_step(q, err);
}

static bool
forget_old(struct db *db, const struct store_agent_line *l, unsigned keep,
    struct err *err)
{
	sqlite3_stmt *q =
	    db_sql(db, "DELETE FROM agent_log WHERE agent = ?1 AND n <="
		       " (SELECT max(n) FROM agent_log WHERE agent = ?1) - ?2");

	db_bind(q, 1, l->agent);
	sqlite3_bind_int64(q, 2, keep);
	return db_step(q, err);
}

static bool
write_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	const struct lines *t = arg;

	(void)h;
	for (size_t i = 0; i < t->n; i++)
		if (!add_line(db, &t->all[i], err) ||
		    !forget_old(db, &t->all[i], t->keep, err))
			return false;
	return true;
}

static void
written(void *arg, const struct err *err)
{
	struct lines *t = arg;

	if (t->done != NULL)
		t->done(t->arg, err);
	free(t);
}

bool
store_agent_log(struct store *s, const struct store_agent_line *all, size_t n,
    unsigned keep, store_done_fn *done, void *arg)
{
	struct lines *t = mem_alloc(sizeof *t + n * sizeof *all);

	t->keep = keep;
	t->done = done;
	t->arg = arg;
	t->n = n;
	memcpy(t->all, all, n * sizeof *all);
	if (db_submit(s->db, DB_LAZY, write_job, written, t, NULL))
		return true;
	free(t);
	return false;
}

/* ---- reading ---------------------------------------------------------- */

static bool
read_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct lines *t = arg;
	sqlite3_stmt *q = db_sql(db,
	    "SELECT at_ms, what, text FROM (SELECT * FROM agent_log"
	    " WHERE agent = ?1 ORDER BY n DESC LIMIT ?2) ORDER BY n");
	int got = 0;

	(void)h;
	db_bind(q, 1, t->agent);
	sqlite3_bind_int64(q, 2, t->keep);
	for (t->n = 0; t->n < t->keep && (got = db_row(q, err)) == 1; t->n++) {
		struct store_agent_line *l = &t->all[t->n];
		const char *text = db_text(q, 2);

		str_copy(l->agent, sizeof l->agent, t->agent);
		l->at_ms = sqlite3_column_int64(q, 0);
		str_copy(l->what, sizeof l->what, db_text(q, 1));
		str_copy(l->text, sizeof l->text, text != NULL ? text : "");
	}
	sqlite3_reset(q);
	return got != -1;
}

static void
have_read(void *arg, const struct err *err)
{
	struct lines *t = arg;

	t->fn(t->arg, t->all, err == NULL ? t->n : 0, err);
	free(t);
}

bool
store_agent_lines(struct store *s, const char *agent, unsigned limit,
    store_agent_lines_fn *fn, void *arg, struct err *err)
{
	struct lines *t = mem_alloc(sizeof *t + limit * sizeof *t->all);

	str_copy(t->agent, sizeof t->agent, agent);
	t->keep = limit;
	t->fn = fn;
	t->arg = arg;
	if (db_submit(s->db, DB_MAY, read_job, have_read, t, err))
		return true;
	free(t);
	return false;
}
