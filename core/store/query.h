/*
 * SQL that runs once, or once a step: what statements.h is for SQL that runs often.
 *
 * TYPES and the arguments behind it bind the parameters as statement_bind() does. All functions
 * return what their namesakes of connection.h return.
 */
#ifndef CORE_STORE_QUERY_H
#define CORE_STORE_QUERY_H

#include "core/store/connection.h"

/* Prepares SQL. 0 with *OUT to be finalized (CLEANUP_QUERY), or a negative refusal/errno. */
int query_open(struct connection *connection, const char *sql, sqlite3_stmt **out) MUST_CHECK;

/* Runs SQL, which gives no rows, to its end. 0 or a negative refusal/errno. */
int query_run(struct connection *connection, const char *sql, const char *types, ...) MUST_CHECK;

/* The first column of the first row: 1 with *VALUE set (NULL counts as 0), 0 where there is no row,
 * or a negative refusal/errno. */
int query_value(struct connection *connection, const char *sql, int64_t *value, const char *types,
                ...) MUST_CHECK;

void query_close(sqlite3_stmt **statement);

#define CLEANUP_QUERY __attribute__((cleanup(query_close)))

#endif
