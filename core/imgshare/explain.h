/*
 * Explaining refusals: rows of the refusal table in words, and what would happen at a path.
 */
#ifndef CORE_IMGSHARE_EXPLAIN_H
#define CORE_IMGSHARE_EXPLAIN_H

#include "core/base/buffer.h"
#include "core/rules/refusal.h"

/* Appends "ERRNO (code): sentence. What to do: remedy." for RESULT, a negative refusal/errno. */
void explain_result(struct buffer *out, int result);

/* Appends what would happen at PATH, which is in a mount of imgsharefs, and what was refused there
 * last. Returns 0 or a negative errno with ERROR set. */
int explain_path(const char *path, struct buffer *out, struct buffer *error) MUST_CHECK;

#endif
