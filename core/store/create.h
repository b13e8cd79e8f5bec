/*
 * Making a store: whole, or not at all.
 *
 * A file that was begun would be in everybody's way: it is no store, and no other can be made in its
 * place. So it gets its name when it is complete and on the disk, whatever ends the program before.
 */
#ifndef CORE_STORE_CREATE_H
#define CORE_STORE_CREATE_H

#include "core/base/buffer.h"
#include "core/rules/rules.h"

#include <stdint.h>

/* What a new store holds. */
struct create_options {
    const char *source; /* of the replica of a cloud: which; NULL for a registry */
    int64_t limit;
    enum snapshot_policy policy;
    const char *const *accounts; /* pins that can be accounts, each once */
    size_t account_count;
};

/* Makes a store at PATH, which must not exist: mode 0600. It and its name are on the disk when this
 * returns. On failure nothing is left behind. Returns 0 or a negative errno with ERROR set. */
int store_create(const char *path, const struct create_options *options,
                 struct buffer *error) MUST_CHECK;

#endif
