/* What is kept about agents, and how long commands are kept. */
#include <stdlib.h>

#include "ewsd/store/store_priv.h"
#include "lib/mem.h"

/* ---- agents ----------------------------------------------------------- */

struct agent {
	struct store_agent agent;
	store_done_fn *fn;
	void *arg;
	void *texts;
};

static bool
agent_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	const struct store_agent *a = &((struct agent *)arg)->agent;
	sqlite3_stmt *q = db_sql(db,
	    "INSERT INTO agents (id, instance, about, config, first_ms,"
	    " last_ms, tags) VALUES"
	    " (?1, ?2, ?3, nullif(?4, ''), ?5, ?6, ?7)"
	    " ON CONFLICT (id) DO UPDATE SET"
	    " instance = coalesce(?2, instance), about = coalesce(?3, about),"
	    " config = nullif(coalesce(?4, config), ''),"
	    " last_ms = max(last_ms, ?6), tags = coalesce(?7, tags)");

	(void)h;
	db_bind(q, 1, a->id);
	db_bind(q, 2, a->instance);
	db_bind(q, 3, a->about);
	db_bind(q, 4, a->config);
	sqlite3_bind_int64(q, 5, a->first_ms);
	sqlite3_bind_int64(q, 6, a->last_ms);
	db_bind(q, 7, a->tags);
	return db_step(q, err);
}

static void
agent_kept(void *arg, const struct err *err)
{
	struct agent *a = arg;

	if (a->fn != NULL)
		a->fn(a->arg, err);
	free(a->texts);
	free(a);
}

bool
store_agent(struct store *s, const struct store_agent *agent, store_done_fn *fn,
    void *arg)
{
	struct agent *a = mem_alloc(sizeof *a);
	const struct db_lent lent[] = {
		{ &a->agent.id, 0 },
		{ &a->agent.instance, 0 },
		{ &a->agent.about, 0 },
		{ &a->agent.config, 0 },
		{ &a->agent.tags, 0 },
	};

	a->agent = *agent;
	a->fn = fn;
	a->arg = arg;
	a->texts = db_keep(lent, sizeof lent / sizeof *lent, NULL);
	if (a->texts != NULL && db_submit(s->db, fn == NULL ? DB_LAZY : DB_MUST,
				    agent_job, agent_kept, a, NULL))
		return true;
	free(a->texts);
	free(a);
	return false;
}

/* ---- pruning ---------------------------------------------------------- */

enum { PRUNE_MAX = 250 };

struct prune {
	struct store *store;
	int64_t before_ms;
	int64_t keep;
	bool counted;
	/* what ended then, or the one with that seq, and all before is too
	 * many */
	int64_t too_many_ms, too_many_seq;
	int forgot; /* commands, this time */
};

/* The 250 that ended first, of these what is too old or too many. */
#define PRUNED                                                                 \
	"seq IN (SELECT seq FROM (SELECT seq, updated_ms FROM commands"        \
	" INDEXED BY commands_over WHERE ended = 1"                            \
	" ORDER BY updated_ms, seq LIMIT 250)"                                 \
	" WHERE updated_ms < ?1 OR (updated_ms, seq) <= (?2, ?3))"

/* Once for many loads: to count them takes longer than to forget some. What
 * is too old goes anyway. */
static bool
count_back(struct db *db, struct prune *p, struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "SELECT updated_ms, seq FROM commands INDEXED BY commands_over"
	    " WHERE ended = 1 AND updated_ms >= ?2"
	    " ORDER BY updated_ms DESC, seq DESC LIMIT 1 OFFSET ?1");
	int got;

	if (p->counted)
		return true;
	sqlite3_bind_int64(q, 1, p->keep);
	sqlite3_bind_int64(q, 2, p->before_ms);
	got = db_row(q, err);
	p->counted = got != -1;
	p->too_many_ms = got == 1 ? sqlite3_column_int64(q, 0) : INT64_MIN;
	p->too_many_seq = got == 1 ? sqlite3_column_int64(q, 1) : 0;
	return p->counted;
}

static bool
forget(struct db *db, const char *sql, const struct prune *p, struct err *err)
{
	sqlite3_stmt *q = db_sql(db, sql);

	sqlite3_bind_int64(q, 1, p->before_ms);
	sqlite3_bind_int64(q, 2, p->too_many_ms);
	sqlite3_bind_int64(q, 3, p->too_many_seq);
	return db_step(q, err);
}

static bool
prune_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct prune *p = arg;
	bool ok;

	/* the commands last: the others are found through them. The highest
	 * seq is remembered, so that none is given out twice. */
	ok = count_back(db, p, err) &&
	     forget(db, "DELETE FROM payloads WHERE " PRUNED, p, err) &&
	     forget(db, "DELETE FROM history WHERE " PRUNED, p, err) &&
	     forget(db, "DELETE FROM outputs WHERE " PRUNED, p, err) &&
	     db_step(
		 db_sql(db,
		     "INSERT INTO meta SELECT 'pruned', seq"
		     " FROM commands WHERE seq > 0 ORDER BY seq DESC LIMIT 1"
		     " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
		     " WHERE excluded.value > value"),
		 err) &&
	     forget(db, "DELETE FROM commands WHERE " PRUNED, p, err);
	p->forgot = ok ? sqlite3_changes(h) : 0;
	return ok;
}

static void
pruned(void *arg, const struct err *err)
{
	struct prune *p = arg;

	/* a full load: there may be more, and a busy hub adds as fast; an
	 * error waits for the next call */
	if (err == NULL && p->forgot >= PRUNE_MAX &&
	    db_submit(p->store->db, DB_MAY, prune_job, pruned, p, NULL))
		return;
	free(p);
}

bool
store_prune(struct store *s, int64_t before_ms, uint64_t keep)
{
	struct prune *p = mem_alloc(sizeof *p);

	p->store = s;
	p->before_ms = before_ms;
	p->keep = keep > INT64_MAX ? INT64_MAX : (int64_t)keep;
	if (db_submit(s->db, DB_MAY, prune_job, pruned, p, NULL))
		return true;
	free(p);
	return false;
}
