/*
 * The changes of a store. Each is called inside a write transaction (writer.h) and keeps every
 * counter, directory time and feed row in step, so that whoever changes a share changes all of it.
 *
 * All return 0, or a negative refusal/errno, after which the caller rolls back.
 */
#ifndef CORE_STORE_WRITE_H
#define CORE_STORE_WRITE_H

#include "core/store/connection.h"
#include "core/store/feed.h"
#include "core/store/view.h"

#include <stdint.h>

/* What the rules need to know of an image. */
struct write_image {
    int64_t row;
    int64_t owner;
    char id[VIEW_NAME_SIZE];
    enum image_status status;
    bool released;
    unsigned snapshots;
    int64_t shares;
    int64_t confirmed_ns; /* replica: when its shares were last confirmed, 0 = never */
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

/* What is written between the two is made as a whole or not at all, inside a transaction that goes
 * on: RESULT says which. Returns it, or why it could not be made. Where it could not be undone
 * either, the whole transaction is. */
int write_part_begin(struct connection *connection) MUST_CHECK;
int write_part_end(struct connection *connection, int result) MUST_CHECK;

/* Keeps the last LINES lines of ACCOUNT's event log. Only where no mount of the account can be
 * reading it: offsets must not move under a reader. */
int write_trim_events(struct connection *connection, int64_t account, int64_t lines) MUST_CHECK;

#endif
