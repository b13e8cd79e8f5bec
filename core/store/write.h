/*
 * The changes of a store. Each is called inside a write transaction (writer.h) and keeps every counter,
 * directory time and feed row in step, so that whoever changes a share changes all of it.
 *
 * All return 0, or a negative refusal/errno, after which the caller rolls back.
 */
#ifndef CORE_STORE_WRITE_H
#define CORE_STORE_WRITE_H

#include "core/store/connection.h"
#include "core/store/view.h"

#include <stdint.h>

/* What a row of the change feed tells the other mounts. `first` and `last` are image rows. */
enum feed_kind {
    FEED_SHARED = 1,    /* image FIRST was shared with PIN */
    FEED_CANCELLED = 2, /* the share of image FIRST with PIN was cancelled */
    FEED_IMPORTED = 3,  /* images FIRST..LAST are new or changed, and so may be their shares */
};

struct feed_row {
    int64_t id;
    int64_t writer;
    enum feed_kind kind;
    int64_t first, last;
    char pin[VIEW_NAME_SIZE];
};

/* What the rules need to know of an image. */
struct write_image {
    int64_t row;
    int64_t owner;
    char id[VIEW_NAME_SIZE];
    enum image_status status;
    bool released;
    unsigned snapshots;
    int64_t shares;
};

/* -ENOENT if there is no such image. */
int write_image(struct connection *connection, int64_t row, struct write_image *out) MUST_CHECK;

/* The share of IMAGE with PIN: 1 with its row and time, 0 if there is none. */
int write_find_share(struct connection *connection, int64_t image, const char *pin, int64_t *row,
                     int64_t *created_ns) MUST_CHECK;

/* Whether an account has this pin, or this mobile number: 1 or 0. */
int write_has_account(struct connection *connection, const char *pin) MUST_CHECK;
int write_has_mobile(struct connection *connection, const char *mobile) MUST_CHECK;

/* Shares IMAGE of OWNER with PIN, an existing account, at NOW; gives the share's row. */
int write_share(struct connection *connection, int64_t image, int64_t owner, const char *pin,
                int64_t now, int64_t *row) MUST_CHECK;

/* Cancels share ROW, which is of IMAGE of OWNER with PIN, at NOW. */
int write_cancel(struct connection *connection, int64_t row, int64_t image, int64_t owner,
                 const char *pin, int64_t now) MUST_CHECK;

/* Notes the last refused change of IMAGE by ACCOUNT. */
int write_refusal(struct connection *connection, int64_t account, int64_t image, int64_t now,
                  const char *action, const char *name, const char *code) MUST_CHECK;

/* Appends LINE (with its newline) to the event log of ACCOUNT. */
int write_event(struct connection *connection, int64_t account, int64_t now,
                const char *line) MUST_CHECK;

/* Keeps the last LINES lines of ACCOUNT's event log. Only where no mount of the account can be
 * reading it: offsets must not move under a reader. */
int write_trim_events(struct connection *connection, int64_t account, int64_t lines) MUST_CHECK;

/* Tells the other mounts. WRITER is this mount's id, 0 for none. PIN may be NULL. */
int write_feed(struct connection *connection, int64_t now, int64_t writer, enum feed_kind kind,
               int64_t first, int64_t last, const char *pin) MUST_CHECK;

/* Forgets feed rows from before BEFORE, all but the newest row. */
int write_trim_feed(struct connection *connection, int64_t before) MUST_CHECK;

/* The newest feed row's id, 0 if there is none; and the oldest's. */
int feed_newest(struct connection *connection, int64_t *id) MUST_CHECK;
int feed_oldest(struct connection *connection, int64_t *id) MUST_CHECK;

/* Reads at most LIMIT rows after AFTER into ROWS. Returns their number, or a negative
 * refusal/errno. */
int feed_read(struct connection *connection, int64_t after, int limit,
              struct feed_row *rows) MUST_CHECK;

#endif
