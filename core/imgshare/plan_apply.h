/*
 * Carrying out a plan through the mount.
 */
#ifndef CORE_IMGSHARE_PLAN_APPLY_H
#define CORE_IMGSHARE_PLAN_APPLY_H

#include "core/imgshare/mount_read.h"
#include "core/imgshare/plan.h"

/* Carries out PLAN, image by image: shares first, cancels only as far as
 * they must make room; an image of which a share was refused keeps the rest of its cancels. Then
 * looks whether the mount shows it so. Prints a line for each change made on standard output, what
 * was refused on standard error, and there also how far it came where something was. Between two
 * changes a waiting signal ends it: see command_hold_signals(), which the caller has called. What
 * the plan's problems are about is tried like all else. Returns the exit status. */
int plan_apply(struct plan *plan, struct mount_reader *reader);

/* Says the problems of PLAN on standard error. Whether there are any. */
bool plan_refused(const struct plan *plan);

#endif
