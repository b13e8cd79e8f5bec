/*
 * Share lists as files: what plans are made of.
 *
 * A directory holds a file an image, named by its id or its name under by-name/private/; its lines
 * are pins, as in an allow-list (rules/pin_list.h), or @TEAM: the pins of the file @TEAM in the same
 * directory, which names no further team. @@PIN is a pin that begins with @.
 */
#ifndef CORE_IMGSHARE_PLAN_READ_H
#define CORE_IMGSHARE_PLAN_READ_H

#include "core/imgshare/mount_read.h"
#include "core/imgshare/plan.h"

/* Reads what is wanted of DIRECTORY, and what is there of the mount, and finishes PLAN: CANCELS and
 * ALLOW_EMPTY are the user's bounds. What makes the plan impossible is among its problems. Returns
 * 0, or a negative errno with ERROR set where not even that could be found out. */
int plan_read(struct plan *plan, const char *directory, struct mount_reader *reader,
              int64_t cancels, bool allow_empty, struct buffer *error) MUST_CHECK;

/* Adds own image ID to PLAN as the mount has it: what it is shared with, refreshed before, and
 * whether it can be. *OUT is valid until the next. -ENOENT where there is no such image. */
int plan_read_image(struct plan *plan, struct mount_reader *reader, const char *id,
                    struct plan_image **out, struct buffer *error) MUST_CHECK;

/* The bounds that the mount sets, with CANCELS. */
struct plan_bounds plan_bounds_of(const struct mount_reader *reader, int64_t cancels);

/* Marks the images whose changes are not settled. */
int plan_read_unsettled(struct plan *plan, const struct mount_reader *reader,
                        struct buffer *error) MUST_CHECK;

#endif
