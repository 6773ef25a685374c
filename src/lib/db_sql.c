#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/db_priv.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"

_Thread_local struct db_conn *db_here;

void
db_conn_error(struct db_conn *c, int rc, struct err *err)
{
	int os = c->handle != NULL ? sqlite3_system_errno(c->handle) : 0;
	const char *what =
	    c->handle != NULL ? sqlite3_errmsg(c->handle) : sqlite3_errstr(rc);

	c->rc = rc & 0xff;
	switch (c->rc) {
	case SQLITE_CONSTRAINT:
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
	case SQLITE_TOOBIG:
		err_set(err, EXIT_INTERNAL, "internal", "%s", what);
		return;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		err_set(err, EXIT_IO, "io",
		    "%s is damaged (%s): stop, keep a copy of it, and restore "
		    "a "
		    "backup or use sqlite3's \".recover\"",
		    c->db->path, what);
		return;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (os != 0) {
			err_set(err, EXIT_IO, "io", "%s: %s (%s)", c->db->path,
			    what, strerror(os));
			return;
		}
	}
	err_set(err, EXIT_IO, "io", "%s: %s", c->db->path, what);
}

bool
db_disk_refused(const struct db_conn *c)
{
	switch (c->rc) {
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_NOMEM:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PROTOCOL:
	case SQLITE_PERM:
		return true;
	}
	return false;
}

bool
db_exec(struct db_conn *c, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(c->handle, sql, NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		db_conn_error(c, rc, err);
	return rc == SQLITE_OK;
}

bool
db_pragma(struct db_conn *c, const char *sql, int64_t *out, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(c->handle, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	else
		db_conn_error(c, rc, err);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW;
}

static sqlite3_stmt *
prepare(struct db_conn *c, const char *sql)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v3(
	    c->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);

	if (rc == SQLITE_ERROR || c->n == DB_STATEMENTS_MAX) {
		log_error("sql: %s: %s", sqlite3_errmsg(c->handle), sql);
		abort();
	}
	if (rc != SQLITE_OK) {
		c->rc = rc & 0xff;
		return NULL;
	}
	c->cached[c->n].sql = sql;
	c->cached[c->n].stmt = stmt;
	c->n++;
	return stmt;
}

sqlite3_stmt *
db_sql(struct db *d, const char *sql)
{
	struct db_conn *c = db_here;

	assert(c != NULL && c->db == d);
	(void)d;
	for (size_t i = 0; i < c->n; i++) {
		if (c->cached[i].sql == sql) {
			sqlite3_reset(c->cached[i].stmt);
			sqlite3_clear_bindings(c->cached[i].stmt);
			return c->cached[i].stmt;
		}
	}
	return prepare(c, sql);
}

int
db_row(sqlite3_stmt *stmt, struct err *err)
{
	int rc = stmt != NULL ? sqlite3_step(stmt) : db_here->rc;

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	db_conn_error(db_here, rc, err);
	return -1;
}

bool
db_step(sqlite3_stmt *stmt, struct err *err)
{
	int got = db_row(stmt, err);

	assert(got != 1);
	return got == 0;
}

void
db_bind(sqlite3_stmt *stmt, int nth, const char *text)
{
	sqlite3_bind_text(stmt, nth, text, -1, SQLITE_STATIC);
}

const char *
db_text(sqlite3_stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

/* A statement left at a row keeps its snapshot, and with it the WAL. */
void
db_conn_rest(struct db_conn *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (sqlite3_stmt_busy(c->cached[i].stmt))
			sqlite3_reset(c->cached[i].stmt);
	}
}

static size_t
length(const struct db_lent *l)
{
	if (*l->text == NULL)
		return 0;
	return (l->len != 0 ? l->len : strlen(*l->text)) + 1;
}

void *
db_keep(const struct db_lent *lent, size_t n, struct err *err)
{
	size_t total = 1;
	char *block, *to;

	for (size_t i = 0; i < n; i++)
		total += length(&lent[i]);
	to = block = mem_try(total);
	if (block == NULL) {
		err_set(err, EXIT_RETRY, "too_many", "memory is out");
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		size_t len = length(&lent[i]);

		if (len == 0)
			continue;
		memcpy(to, *lent[i].text, len - 1); /* zeroed: NUL is there */
		*lent[i].text = to;
		to += len;
	}
	return block;
}
