/*
 * Deciding a change: finds out in the store what the rules ask for, and asks the rules.
 *
 * The same for every source: a registry decides in the transaction that makes the change, a cloud
 * before it sends anything.
 */
#ifndef CORE_CATALOG_DECIDE_H
#define CORE_CATALOG_DECIDE_H

#include "core/catalog/catalog.h"
#include "core/store/write.h"

/* Decides CHANGE (a share or a cancel) at NOW. Returns 0: go on, with *IMAGE set (and
 * change->share, the row to cancel); 1: it is so already (a share's row and time are in CHANGE); or
 * a negative refusal/errno. Called inside a transaction of CONNECTION, or to see what would happen.
 */
int decide_change(struct catalog *catalog, struct connection *connection, struct change *change,
                  int64_t now, struct write_image *image) MUST_CHECK;

/* What the rules make of the image's own state, for the file shareable. 0 or a negative refusal. */
int decide_image(struct catalog *catalog, struct view *view,
                 const struct view_record *record) MUST_CHECK;

#endif
