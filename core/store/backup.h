/*
 * Backup: a consistent copy of a registry, also while mounts write to it.
 */
#ifndef CORE_STORE_BACKUP_H
#define CORE_STORE_BACKUP_H

#include "core/store/store.h"

struct backup_options {
    bool (*stop)(void *context); /* asked now and then: true ends the backup. May be NULL */
    void *context;
};

/* Copies STORE to PATH, which must not exist: mode 0600, by way of PATH.partial. It is on the disk
 * when this returns. Returns 0, or a negative errno with ERROR set and nothing left behind: -EEXIST
 * where PATH or PATH.partial is there, -EINTR where it was stopped. */
int backup_run(struct store *store, const char *path, const struct backup_options *options,
               struct buffer *error) MUST_CHECK;

#endif
