/*
 * The change feed: how a mount learns what others have committed, so that it can tell its kernel.
 *
 * Each change adds a row in its transaction. A mount looks now and then whether the file was
 * changed (feed_version()), and reads the rows after the last one that it knows. Rows go after ten
 * minutes; a mount that slept longer sees that the oldest row is not the next one.
 */
#ifndef CORE_STORE_FEED_H
#define CORE_STORE_FEED_H

#include "core/store/connection.h"
#include "core/store/view.h"

/* What a row of the change feed tells the other mounts. `first` and `last` are image rows. */
enum feed_kind {
    FEED_SHARED = 1,    /* image FIRST was shared with PIN */
    FEED_CANCELLED = 2, /* the share of image FIRST with PIN was cancelled */
    FEED_REMOVED = 4,   /* image FIRST, whose id is in PIN, is gone */
    FEED_IMPORTED = 3,  /* images FIRST..LAST are new or changed, and so may be their shares */
};

struct feed_row {
    int64_t id;
    int64_t writer;
    enum feed_kind kind;
    int64_t first, last;
    char pin[VIEW_NAME_SIZE];
};

/* Tells the other mounts. WRITER is this mount's id, 0 for none. PIN may be NULL. */
int feed_add(struct connection *connection, int64_t now, int64_t writer, enum feed_kind kind,
             int64_t first, int64_t last, const char *pin) MUST_CHECK;

/* Forgets feed rows from before BEFORE, all but the newest row. */
int feed_trim(struct connection *connection, int64_t before) MUST_CHECK;

/* The newest feed row's id, 0 if there is none; and the oldest's. */
int feed_newest(struct connection *connection, int64_t *id) MUST_CHECK;
int feed_oldest(struct connection *connection, int64_t *id) MUST_CHECK;

/* Reads at most LIMIT rows after AFTER into ROWS. Returns their number, or a negative
 * refusal/errno. */
int feed_read(struct connection *connection, int64_t after, int limit,
              struct feed_row *rows) MUST_CHECK;

/* A number that changes when another connection has committed, and only then. */
int feed_version(struct connection *connection, int64_t *version) MUST_CHECK;

/* An image as the feed's reader needs it. */
struct feed_image {
    int64_t row;
    int64_t owner;
    bool is_new; /* never changed since it was added */
    char id[VIEW_NAME_SIZE];
};

/* Reads at most LIMIT images with rows from FIRST to LAST. Returns their number, or a negative
 * refusal/errno. Whose they are does not matter. */
int feed_images(struct connection *connection, int64_t first, int64_t last, int limit,
                struct feed_image *images) MUST_CHECK;

#endif
