/*
 * Memory for keys: pages of its own, which no core file holds, which are not swapped out as far as
 * the limits allow it, and which are wiped before they go.
 */
#ifndef CORE_CLOUD_SECRET_H
#define CORE_CLOUD_SECRET_H

#include "core/base/cleanup.h"

#include <stddef.h>

/* SIZE bytes, all zero. NULL where there is no memory. */
void *secret_new(size_t size) MUST_CHECK;

/* A copy of the C string TEXT, or NULL. */
char *secret_copy(const char *text) MUST_CHECK;

/* Wipes and frees. NULL is allowed. */
void secret_free(void *memory);

/* Cuts TEXT, which comes from outside, off where it begins to quote WORD, a secret: the beginning of
 * one is enough. NULL is no secret. */
void secret_hide(char *text, const char *word);

static inline void secret_cleanup(void *pointer)
{
    secret_free(*(void **)pointer);
}

#define CLEANUP_SECRET __attribute__((cleanup(secret_cleanup)))

#endif
