/* SQL that runs once: see the header. */
#include "core/store/query.h"

#include <stdarg.h>

int query_open(struct connection *connection, const char *sql, sqlite3_stmt **out)
{
    int rc = sqlite3_prepare_v2(connection->db, sql, -1, out, NULL);

    return rc == SQLITE_OK ? 0 : connection_error(connection, rc);
}

void query_close(sqlite3_stmt **statement)
{
    /* The result repeats what the step said. */
    (void)sqlite3_finalize(STEAL(*statement));
}

int query_run(struct connection *connection, const char *sql, const char *types, ...)
{
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    va_list arguments;
    int result = query_open(connection, sql, &query);

    if (result < 0)
        return result;
    va_start(arguments, types);
    result = statement_bind_list(query, types, arguments);
    va_end(arguments);
    if (result == 0)
        result = statement_step(connection, query);
    return result;
}

int query_value(struct connection *connection, const char *sql, int64_t *value, const char *types,
                ...)
{
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    va_list arguments;
    int result = query_open(connection, sql, &query);

    if (result < 0)
        return result;
    va_start(arguments, types);
    result = statement_bind_list(query, types, arguments);
    va_end(arguments);
    if (result == 0)
        result = statement_step(connection, query);
    if (result == 1)
        *value = sqlite3_column_int64(query, 0);
    return result;
}
