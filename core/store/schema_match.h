/*
 * Whether the schema of a file is the one that this program makes.
 *
 * Who writes a registry writes its schema, too: a trigger, a column that is computed, an index on an
 * expression or a virtual table of the right name would be work, without end if that is wanted, for
 * whoever opens it. Tables and views of other names are never read, and do no harm.
 */
#ifndef CORE_STORE_SCHEMA_MATCH_H
#define CORE_STORE_SCHEMA_MATCH_H

#include "core/base/buffer.h"

#include <sqlite3.h>

/* Looks for what does not belong into DB beside, or differs from, what is in MODEL: a trigger,
 * something else of a name of ours, anything else on a table of ours. Returns SQLITE_DONE if there
 * is nothing, SQLITE_ROW with WHAT ("trigger x", escaped), or an SQLite error code. */
int schema_find_stranger(sqlite3 *db, sqlite3 *model, struct buffer *what) MUST_CHECK;

#endif
