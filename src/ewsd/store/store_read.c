#include <stdlib.h>
#include <string.h>

#include "ewsd/store/store_priv.h"
#include "lib/exit.h"
#include "lib/mem.h"

/* Makes room for one more of 'size' bytes; false with err. */
static bool
grow(void *array, size_t n, size_t *cap, size_t size, struct err *err)
{
	size_t want = *cap == 0 ? 16 : *cap * 2;
	void *new;

	if (n < *cap)
		return true;
	new = mem_retry(*(void **)array, want * size);
	if (new == NULL) {
		err_set(err, EXIT_RETRY, "too_many", "memory is out");
		return false;
	}
	*(void **)array = new;
	*cap = want;
	return true;
}

/* ---- one command ------------------------------------------------------ */

struct get {
	char *id;
	store_get_fn *fn;
	void *arg;
	struct store_command cmd; /* id NULL: none; owned */
	struct store_history *lines; /* note or method starts a block */
	void **texts;
	size_t n, cap, texts_cap;
};

static void
forget_lines(struct get *g)
{
	for (size_t i = 0; i < g->n; i++)
		free(g->texts[i]);
	g->n = 0;
	row_free(&g->cmd);
}

static bool
add_line(struct get *g, sqlite3_stmt *q, struct err *err)
{
	struct store_history l = {
		.state = CMD_DEAD,
		.is_note = db_text(q, 1) == NULL,
		.at_ms = sqlite3_column_int64(q, 0),
		.method = db_text(q, 2),
		.note = db_text(q, 3),
	};
	const struct db_lent lent[] = { { &l.method, 0 }, { &l.note, 0 } };
	void *texts;

	if (!l.is_note)
		state_from(db_text(q, 1), &l.state);
	if (!grow(&g->lines, g->n, &g->cap, sizeof l, err) ||
	    !grow(&g->texts, g->n, &g->texts_cap, sizeof texts, err))
		return false;
	texts = db_keep(lent, 2, err);
	if (texts == NULL)
		return false;
	g->lines[g->n] = l;
	g->texts[g->n++] = texts;
	return true;
}

static bool
read_lines(struct get *g, struct db *db, struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "SELECT at_ms, state, method, text FROM (SELECT * FROM history"
	    " WHERE seq = ?1 ORDER BY n DESC LIMIT ?2) ORDER BY n");
	int got;

	sqlite3_bind_int64(q, 1, (int64_t)g->cmd.seq);
	sqlite3_bind_int(q, 2, HISTORY_MAX);
	while ((got = db_row(q, err)) == 1) {
		if (!add_line(g, q, err))
			return false;
	}
	return got == 0;
}

static bool
get_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct get *g = arg;
	sqlite3_stmt *q = db_sql(db, "SELECT " ROW_FULL "WHERE id = ?1");
	struct store_command c;
	int got;

	(void)h;
	forget_lines(g);
	db_bind(q, 1, g->id);
	got = db_row(q, err);
	if (got != 1)
		return got == 0;
	row_read(q, &c);
	return row_check(q, &c, err) && row_copy(&g->cmd, &c, err) &&
	       read_lines(g, db, err);
}

static void
get_free(struct get *g)
{
	forget_lines(g);
	free(g->lines);
	free(g->texts);
	free(g->id);
	free(g);
}

static void
got_it(void *arg, const struct err *err)
{
	struct get *g = arg;
	bool found = err == NULL && g->cmd.id != NULL;

	g->fn(g->arg, found ? &g->cmd : NULL, g->lines, found ? g->n : 0, err);
	get_free(g);
}

bool
store_get(struct store *s, const char *id, store_get_fn *fn, void *arg,
    struct err *err)
{
	struct get *g = mem_alloc(sizeof *g);

	g->id = mem_dup(id);
	g->fn = fn;
	g->arg = arg;
	if (db_submit(s->db, DB_MAY, get_job, got_it, g, err))
		return true;
	get_free(g);
	return false;
}

/* ---- many ------------------------------------------------------------- */

/* Rows that one job looks at: who asks for what is rare shall not hold up
 * those who send, for all share the writer. */
enum { LOOK_MAX = 2000 };

struct list {
	struct store *store;
	struct store_filter filter; /* texts owned */
	void *texts;
	store_list_fn *fn;
	void *arg;
	struct store_command *cmds; /* owned */
	size_t n, cap, bytes;
	size_t kept, kept_bytes; /* of the jobs before this one */
	int64_t reached; /* the row at which this one stopped, or 0 */
};

/* What a job found that is run again. */
static void
forget_rows(struct list *l)
{
	for (size_t i = l->kept; i < l->n; i++)
		row_free(&l->cmds[i]);
	l->n = l->kept;
	l->bytes = l->kept_bytes;
	l->reached = 0;
}

static bool
only_open(unsigned states)
{
	for (int s = 0; s < CMD_STATES; s++) {
		if (state_is_end(s) && (states & 1u << s) != 0)
			return false;
	}
	return states != 0;
}

/* The end that is the only state asked for, or NULL. */
static const char *
only_end(unsigned states)
{
	for (int s = 0; s < CMD_STATES; s++) {
		if (states == 1u << s && state_is_end(s))
			return state_word(s);
	}
	return NULL;
}

/* One statement for each index that may serve. */
static sqlite3_stmt *
choose(const struct store_filter *f, struct db *db)
{
	const char *end = only_end(f->states), *value = NULL;
	sqlite3_stmt *q;

	if (f->dead)
		return dead_rows(db, f);
	if (only_open(f->states)) {
		q = db_sql(db,
		    "SELECT " ROW_BRIEF "INDEXED BY commands_ended"
		    " WHERE ended = 0 AND seq < ?1 ORDER BY seq DESC");
	} else if (f->agent != NULL) {
		q = db_sql(db,
		    "SELECT " ROW_BRIEF "INDEXED BY commands_agent"
		    " WHERE agent = ?2 AND seq < ?1 ORDER BY seq DESC");
		value = f->agent;
	} else if (end != NULL) {
		q = db_sql(db, "SELECT " ROW_BRIEF "INDEXED BY commands_state"
			       " WHERE ended = 1 AND state = ?2 AND seq < ?1"
			       " ORDER BY seq DESC");
		value = end;
	} else {
		q = db_sql(
		    db, "SELECT " ROW_BRIEF "WHERE seq < ?1 ORDER BY seq DESC");
	}
	sqlite3_bind_int64(
	    q, 1, f->before_seq == 0 ? INT64_MAX : (int64_t)f->before_seq);
	if (value != NULL)
		db_bind(q, 2, value);
	return q;
}

static bool
wanted(const struct store_filter *f, const struct store_command *c)
{
	return (f->states == 0 || (f->states & 1u << c->state) != 0) &&
	       (f->agent == NULL || strcmp(f->agent, c->agent) == 0) &&
	       (f->type == NULL || strcmp(f->type, c->type) == 0);
}

static bool
has_room(const struct list *l)
{
	return l->n < l->filter.limit &&
	       (l->filter.bytes == 0 || l->bytes < l->filter.bytes);
}

static bool
add_row(struct list *l, struct store_command *c, struct err *err)
{
	if (l->filter.sendable && !dead_check(c, err))
		return false;
	if (!grow(&l->cmds, l->n, &l->cap, sizeof *c, err) ||
	    !row_copy(&l->cmds[l->n], c, err))
		return false;
	l->n++;
	l->bytes += c->payload_len;
	return true;
}

static bool
list_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct list *l = arg;
	sqlite3_stmt *q = choose(&l->filter, db);
	struct store_command c;
	int got = 0, looked = 0;

	(void)h;
	forget_rows(l);
	while (has_room(l) && (got = db_row(q, err)) == 1) {
		row_read(q, &c);
		if (wanted(&l->filter, &c) && !add_row(l, &c, err))
			return false;
		/* what is dead is chosen in the statement */
		if (!l->filter.dead && ++looked == LOOK_MAX) {
			l->reached = (int64_t)c.seq;
			break;
		}
	}
	return got != -1;
}

static void
list_free(struct list *l)
{
	l->kept = 0;
	forget_rows(l);
	free(l->cmds);
	free(l->texts);
	free(l);
}

static void
listed(void *arg, const struct err *err)
{
	struct list *l = arg;
	struct err refused = ERR_INIT;

	if (err == NULL && l->reached > 0 && has_room(l)) {
		l->kept = l->n;
		l->kept_bytes = l->bytes;
		l->filter.before_seq = (uint64_t)l->reached;
		if (db_submit(
			l->store->db, DB_MAY, list_job, listed, l, &refused))
			return;
		err = &refused;
	}
	l->fn(l->arg, l->cmds, err == NULL ? l->n : 0, err);
	list_free(l);
}

bool
store_list(struct store *s, const struct store_filter *filter,
    store_list_fn *fn, void *arg, struct err *err)
{
	struct list *l = mem_alloc(sizeof *l);
	const struct db_lent lent[] = {
		{ &l->filter.agent, 0 },
		{ &l->filter.type, 0 },
		{ &l->filter.id, 0 },
		{ &l->filter.reason, 0 },
	};

	l->store = s;
	l->filter = *filter;
	l->fn = fn;
	l->arg = arg;
	l->texts = db_keep(lent, sizeof lent / sizeof *lent, err);
	if (l->texts != NULL &&
	    db_submit(s->db, DB_MAY, list_job, listed, l, err))
		return true;
	list_free(l);
	return false;
}
