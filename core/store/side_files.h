/*
 * The files beside a store: SQLite's log and its index (-wal, -shm), the journal that it rolls back
 * where one lies there (-journal), and the lock (-lock).
 *
 * What is in a log or a journal becomes the store's content, and what they are a link to is written
 * to. So they must be files, and of somebody who may write the store: in a directory where others
 * can make files (/tmp) anybody can put one beside a store that has none at the moment.
 */
#ifndef CORE_STORE_SIDE_FILES_H
#define CORE_STORE_SIDE_FILES_H

#include "core/base/buffer.h"

/* Checks those beside PATH, a file that is there (or is not yet, of which this user will be the
 * owner). Returns 0, or -EPERM with ERROR naming the one that cannot be, and what to do. */
int side_files_check(const char *path, struct buffer *error) MUST_CHECK;

#endif
