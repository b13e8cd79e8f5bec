/*
 * The schema of a store, and the steps that bring an older file up to it.
 *
 * PRAGMA application_id tells our files from other SQLite files, PRAGMA user_version tells which
 * steps a file has seen. docs/design.md explains the tables.
 */
#ifndef CORE_STORE_SCHEMA_H
#define CORE_STORE_SCHEMA_H

#include "core/base/buffer.h"

#include <sqlite3.h>

/* "imsh" in ASCII. */
#define SCHEMA_APPLICATION_ID 0x696d7368

/* The version that this program writes; 0 is an empty file. */
int schema_version(void);

/* Checks that DB is a store of this program's, not newer than it, and brings it up to date where
 * WRITABLE; each step is a transaction of its own. Returns 0, or a negative errno with ERROR saying
 * what is wrong with PATH: -EINVAL for a file of another kind or a newer version, -EIO for damage,
 * -EROFS for an outdated file that cannot be written. */
int schema_check(sqlite3 *db, const char *path, bool writable, struct buffer *error) MUST_CHECK;

/* Makes the tables in the empty database DB. Returns 0 or a negative errno with ERROR set. */
int schema_create(sqlite3 *db, const char *path, struct buffer *error) MUST_CHECK;

#endif
