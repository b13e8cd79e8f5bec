/*
 * Export: everything that a registry holds, as JSON, one object a line; import reads it.
 *
 *   {"registry":1,"limit":20,"snapshots":"any"}
 *   {"account":"alice","mobile":"13800138000"}              each account; mobile where there is one
 *   {"imageId":"img-...",...,"ownerPin":"...","pins":["alice"],"pinTimes":["2026-..."]}   each
 * image
 *
 * An image's line is its record, with ownerPin in any case, and with pins and pinTimes where it has
 * shares. Everything is in the order of rows and from one read transaction. The log of events and
 * the refusals stay behind.
 */
#ifndef CORE_STORE_EXPORT_H
#define CORE_STORE_EXPORT_H

#include "core/store/store.h"

/* Takes LENGTH bytes of the export. Returns 0 or a negative errno. */
typedef int (*export_write)(const char *bytes, size_t length, void *context);

/* Exports STORE. Returns 0, or a negative errno: that of WRITE, with ERROR empty, or with ERROR
 * set. */
int export_run(struct store *store, export_write write, void *context,
               struct buffer *error) MUST_CHECK;

#endif
