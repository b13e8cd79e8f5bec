/*
 * A connection to the store: an SQLite handle and its prepared statements.
 *
 * A connection is used by one thread at a time and is opened without SQLite's own mutex. The
 * statements are those of statements.h, prepared when first used and kept. A statement is taken
 * with statement_use() into a variable with CLEANUP_STATEMENT, which resets it at the end of the
 * scope: one that stayed open would hold its read transaction, and the WAL would grow behind it.
 */
#ifndef CORE_STORE_CONNECTION_H
#define CORE_STORE_CONNECTION_H

#include "core/base/buffer.h"
#include "core/rules/rules.h"
#include "core/store/statements.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How a file can be opened. */
enum connection_mode {
    CONNECTION_READ_WRITE,
    CONNECTION_READ_ONLY, /* beside writers: needs the -shm file */
    CONNECTION_IMMUTABLE, /* while nobody writes: nothing beside the file is needed */
};

struct connection {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    int millions;    /* of steps that the row which is being looked for has taken */
    ino_t log_inode; /* of the log beside the file, when connection_has_moved() first saw one */
};

/* Opens PATH, which must exist. CACHE_KIB bounds the page cache. The busy timeout is 10 s: in WAL
 * mode readers meet a lock only while somebody recovers after a crash, and writers queue on a lock
 * of their own (writer.h). mmap is off: a file that is truncated under it would be SIGBUS. Returns
 * 0, or a negative errno with ERROR set and nothing to close. */
int connection_open(struct connection *connection, const char *path, enum connection_mode mode,
                    int cache_kib, struct buffer *error) MUST_CHECK;

/* From now on a row that costs more than any of a sound file does is damage: pages that lead in
 * circles would have a reader search for ever. CONNECTION must stay where it is. */
void connection_bound(struct connection *connection);

void connection_close(struct connection *connection);

/* Ends the transaction that there may be, without what it wrote. */
void connection_rollback(struct connection *connection);

/* Runs SQL that returns no rows. Returns 0 or a negative refusal/errno. */
int connection_exec(struct connection *connection, const char *sql) MUST_CHECK;

/* Whether the file, or its log, is not at its path any more: what is written to it, nobody would find. */
bool connection_has_moved(struct connection *connection);

/* What the SQLite code RC of this connection means to a caller: -REFUSAL_STORE_FULL,
 * -REFUSAL_STORE_DAMAGED, -REFUSAL_READ_ONLY, or -ENOMEM. */
int connection_error(const struct connection *connection, int rc);

/* SQLite's own words for what failed last, valid until DB (NULL where there is none) is used again;
 * where it has none, those for RC. */
const char *connection_words(sqlite3 *db, int rc);

/* The same of a connection; where SQLite has none, those of RESULT. */
const char *connection_message(const struct connection *connection, int result);

/* The prepared statement, ready to be bound; NULL where it cannot be prepared (the reason is the
 * connection's, see statement_error()). Owned by the connection. */
sqlite3_stmt *statement_use(struct connection *connection, enum statement statement) MUST_CHECK;

/* Why statement_use() gave NULL: a negative refusal/errno. */
int statement_error(const struct connection *connection);

/* Binds the parameters from 1 on: for each letter of TYPES an argument, 'i' int64_t, 't' const char
 * * (NULL allowed; must stay valid until the statement is reset). Returns 0 or a negative
 * refusal/errno. */
int statement_bind(sqlite3_stmt *statement, const char *types, ...) MUST_CHECK;
int statement_bind_list(sqlite3_stmt *statement, const char *types, va_list arguments) MUST_CHECK;

/* Steps once. Returns 1 for a row, 0 at the end, or a negative refusal/errno. */
int statement_step(struct connection *connection, sqlite3_stmt *statement) MUST_CHECK;

/* Binds as statement_bind() does, and runs a statement that gives no rows to its end.
 * Returns 0 or a negative refusal/errno. */
int statement_run(struct connection *connection, enum statement statement, const char *types,
                  ...) MUST_CHECK;

/* Binds, steps once, and gives the first column. Returns 1 with *VALUE set (NULL counts as 0), 0
 * where there is no row, or a negative refusal/errno. */
int statement_value(struct connection *connection, enum statement statement, int64_t *value,
                    const char *types, ...) MUST_CHECK;

/* Reads the settings of a registry: the limit of accounts an image, and the snapshot policy; the
 * defaults where they were never set. Returns 0 or a negative refusal/errno. */
int connection_settings(struct connection *connection, int64_t *limit,
                        enum snapshot_policy *policy) MUST_CHECK;

/* Column COLUMN as text, never NULL; valid until the statement is stepped or reset. */
const char *statement_text(sqlite3_stmt *statement, int column);

void statement_release(sqlite3_stmt **statement);

#define CLEANUP_STATEMENT __attribute__((cleanup(statement_release)))

#endif
