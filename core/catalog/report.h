/*
 * The texts at the root of a mount: README, status, and the window into events.
 */
#ifndef CORE_CATALOG_REPORT_H
#define CORE_CATALOG_REPORT_H

#include "core/catalog/catalog.h"

/* The file README. Static. */
const char *report_readme(void);

/* Appends the file status: key: value lines. 0 or a negative refusal/errno. */
int report_status(struct catalog *catalog, struct view *view, struct buffer *out) MUST_CHECK;

/* The size of the file events, in bytes, and the time of its last line. 0 or a negative
 * refusal/errno. */
int report_events_size(struct catalog *catalog, struct view *view, int64_t *size,
                       int64_t *mtime_ns) MUST_CHECK;

/* Appends at most SIZE bytes of the file events from OFFSET on. 0 or a negative refusal/errno. */
int report_events_read(struct catalog *catalog, struct view *view, int64_t offset, size_t size,
                       struct buffer *out) MUST_CHECK;

#endif
