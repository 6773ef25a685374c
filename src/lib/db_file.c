#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/db_priv.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/port.h"

/* ---- connections ------------------------------------------------------ */

void
db_conn_close(struct db_conn *c)
{
	for (size_t i = 0; i < c->n; i++)
		sqlite3_finalize(c->cached[i].stmt);
	c->n = 0;
	sqlite3_close(c->handle);
	c->handle = NULL;
}

/* The full sync of macOS where there is one; elsewhere SQLite ignores it. */
static const char settings[] = "PRAGMA synchronous=FULL;"
			       "PRAGMA fullfsync=1;"
			       "PRAGMA checkpoint_fullfsync=1;"
			       "PRAGMA foreign_keys=0;"
			       "PRAGMA trusted_schema=0;"
			       "PRAGMA cell_size_check=1;"
			       "PRAGMA temp_store=MEMORY;"
			       "PRAGMA wal_autocheckpoint=1000;"
			       "PRAGMA journal_size_limit=16777216;";

bool
db_conn_open(struct db *d, struct db_conn *c, const char *path, struct err *err)
{
	int rc = sqlite3_open_v2(path, &c->handle,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	c->db = d;
	if (rc != SQLITE_OK) {
		db_conn_error(c, rc, err);
		db_conn_close(c);
		return false;
	}
	sqlite3_extended_result_codes(c->handle, 1);
	sqlite3_busy_timeout(c->handle, 5000);
	sqlite3_db_config(c->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* a refused file stays as it is; db_file_close does its own */
	sqlite3_db_config(c->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (!db_exec(c, settings, err)) {
		db_conn_close(c);
		return false;
	}
	return true;
}

/* ---- the schema ------------------------------------------------------- */

static bool
migrate_to(struct db_conn *c, int version, struct err *err)
{
	char sql[128];

	sqlite3_snprintf(sizeof sql, sql,
	    "PRAGMA application_id=%d; PRAGMA user_version=%d;",
	    c->db->application_id, version);
	if (db_exec(c, "BEGIN IMMEDIATE", err) &&
	    db_exec(c, c->db->migrations[version - 1], err) &&
	    db_exec(c, sql, err) && db_exec(c, "COMMIT", err))
		return true;
	sqlite3_exec(c->handle, "ROLLBACK", NULL, NULL, NULL);
	err_prefix(err, "schema %d", version);
	return false;
}

static bool
migrate(struct db_conn *c, struct err *err)
{
	int64_t version;

	if (!db_pragma(c, "PRAGMA user_version", &version, err))
		return false;
	if (version > c->db->version) { /* the header's was an older one */
		err_set(err, EXIT_CONFIG, "config",
		    "%s has schema %lld, this program knows up to %d: upgrade, "
		    "or restore a backup",
		    c->db->path, (long long)version, c->db->version);
		return false;
	}
	while (version < c->db->version) {
		if (!migrate_to(c, (int)++version, err))
			return false;
	}
	return db_exec(c, "PRAGMA journal_mode=WAL", err);
}

/* ---- a new file ------------------------------------------------------- */

static bool
sync_dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? mem_dup(".")
				  : mem_dupn(path, (size_t)(slash - path) + 1);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd != -1 && fsync(fd) == 0;

	if (fd != -1)
		close(fd);
	free(dir);
	return ok;
}

static void
remove_new(const char *path)
{
	static const char *const tails[] = { "", "-journal", "-wal", "-shm" };

	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		char *name = mem_printf("%s%s", path, tails[i]);

		unlink(name);
		free(name);
	}
}

static bool
fill_new(struct db *d, const char *path, struct err *err)
{
	struct db_conn c = { .db = d };
	bool ok;

	ok = db_conn_open(d, &c, path, err) && migrate(&c, err);
	db_conn_close(&c);
	return ok;
}

/* Made whole beside its place, then moved there: an empty or half a file at
 * PATH is always damage and never our own crash. */
static bool
create(struct db *d, struct err *err)
{
	char *path = mem_printf("%s.new", d->path);
	bool ok = false;
	int fd;

	remove_new(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd != -1) {
		close(fd);
		ok = fill_new(d, path, err) && rename(path, d->path) == 0 &&
		     sync_dir_of(path);
	}
	if (!ok) {
		err_set(err, EXIT_IO, "io", "cannot create %s: %s", path,
		    strerror(errno));
		remove_new(path);
	}
	free(path);
	return ok;
}

/* ---- opening and closing ---------------------------------------------- */

/* What a crashed hub left in the WAL may be in the page cache only, if its
 * last sync failed. Checkpointing writes and syncs it anew. */
static bool
checkpoint(struct db_conn *c, struct err *err)
{
	int rc = sqlite3_wal_checkpoint_v2(
	    c->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	if (rc != SQLITE_OK)
		db_conn_error(c, rc, err);
	return rc == SQLITE_OK;
}

/* The WAL's name is synced first: a cut of the power that left the mark
 * alone would look as if somebody had removed the WAL. */
static void
mark_open(struct db *d)
{
	if (sync_dir_of(d->path))
		db_lock_mark(d, true);
	else
		log_warn("%s: %s", d->path, strerror(errno));
}

bool
db_file_open(struct db *d, struct err *err)
{
	int64_t version;
	bool unclean, absent;

	if (!db_lock(d, &unclean, err) || !db_look(d, unclean, &absent, err) ||
	    (absent && !create(d, err)))
		return false;
	if (!db_conn_open(d, &d->writer, d->path, err) ||
	    !migrate(&d->writer, err) || !checkpoint(&d->writer, err) ||
	    !db_conn_open(d, &d->keeper, d->path, err) ||
	    !db_pragma(&d->keeper, "PRAGMA user_version", &version, err) ||
	    !db_exec(&d->keeper, "PRAGMA query_only=1", err))
		return false;
	mark_open(d);
	return true;
}

void
db_file_close(struct db *d)
{
	bool open = d->keeper.handle != NULL;

	db_conn_close(&d->writer);
	/* Marked before the WAL goes, so that a crash between is no alarm;
	 * if the disk refuses the mark, the WAL stays. */
	if (open && db_exec(&d->keeper, "PRAGMA query_only=0", NULL) &&
	    checkpoint(&d->keeper, NULL) && db_lock_mark(d, false))
		sqlite3_db_config(d->keeper.handle,
		    SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	db_conn_close(&d->keeper);
	db_unlock(d);
}
