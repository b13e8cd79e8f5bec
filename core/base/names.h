/*
 * Sets of names, for comparing lists: what is in the one and not in the other.
 *
 * Names are added in any order, and more than once; names_sort() makes a set of them, in the order
 * of their bytes. One thread at a time.
 */
#ifndef CORE_BASE_NAMES_H
#define CORE_BASE_NAMES_H

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct names {
    char **items; /* NULL while there is none */
    size_t count;
    size_t size; /* allocated */
};

/* Adds a copy of NAME behind the others. 0 or -ENOMEM. */
int names_add(struct names *names, const char *name) MUST_CHECK;

/* Sorts the names and drops doubles. */
void names_sort(struct names *names);

/* Whether NAME is in the sorted NAMES. */
bool names_has(const struct names *names, const char *name);

/* Adds to OUT, which is empty, what is in FROM and not in WITHOUT, both sorted; OUT is sorted, too.
 * 0 or -ENOMEM. */
int names_minus(const struct names *from, const struct names *without,
                struct names *out) MUST_CHECK;

/* As strcmp(): less, the same, or greater. For sets of sets. */
int names_compare(const struct names *left, const struct names *right);

/* Frees them; NAMES is then empty and may be used again. */
void names_dispose(struct names *names);

#define CLEANUP_NAMES __attribute__((cleanup(names_dispose)))

#endif
