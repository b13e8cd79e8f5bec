/*
 * Which shares a log of events says were cancelled, and not shared again since.
 *
 * Pure, but for memory. Lines are those of a mount's events, in their order.
 */
#ifndef CORE_IMGSHARE_UNDO_H
#define CORE_IMGSHARE_UNDO_H

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which cancels are meant: all that hold counts. */
struct undo_choice {
    int64_t since_ns; /* INT64_MIN: any time */
    long pid;         /* 0: any program */
};

/* A share that is lost. */
struct undo_share {
    char *image;
    char *pin;
};

struct undo_log {
    struct undo_choice choice;
    struct undo_event *events;
    size_t count;
    size_t size; /* allocated */
    struct undo_share *lost;
    size_t lost_count;
    int64_t first_ns; /* of the first line; 0 = there was none */
    size_t lines;
};

/* Takes one LINE. 0, -EINVAL where that is no event, or -ENOMEM. */
int undo_read(struct undo_log *log, const char *line) MUST_CHECK;

/* When all lines are read: finds out what is lost, sorted by image and pin. 0 or -ENOMEM. */
int undo_finish(struct undo_log *log) MUST_CHECK;

void undo_dispose(struct undo_log *log);

/* Reads a time as RFC 3339, UTC ("2026-11-24T08:00:00Z"), or as so long before NOW_NS: "90s", "10m",
 * "2h", "1d". 0 or -EINVAL. */
int undo_time(const char *text, int64_t now_ns, int64_t *out) MUST_CHECK;

#define CLEANUP_UNDO __attribute__((cleanup(undo_dispose)))

#endif
