/*
 * What a replica of a cloud has besides: images that come and go, confirmations, and the journal of
 * changes that were sent.
 *
 * All functions but the first two are called inside a write transaction (writer.h), keep counters,
 * times and feed in step as those of write.h do, and return 0 or a negative refusal/errno. The feed
 * rows are written as no mount's, so that this mount's own kernel is told, too.
 */
#ifndef CORE_STORE_REPLICA_H
#define CORE_STORE_REPLICA_H

#include "core/store/store.h"
#include "core/store/write.h"

/* Opens the replica PATH of SOURCE (the words that tell it from every other), and makes it where it
 * is not there (0600; *CREATED tells). It is this process's alone while it is open. Returns 0, or a
 * negative errno with ERROR set: -EBUSY where another process has it, -EINVAL where it is of
 * another source. */
int replica_open(const char *path, const char *source, struct store *store, bool *created,
                 struct buffer *error) MUST_CHECK;

/* Closes STORE and removes its files: it was created in vain. */
void replica_discard(struct store *store);

/* Reads setting NAME into VALUE, "" where it is not set. 0 or a negative refusal/errno. */
int replica_setting(struct connection *connection, const char *name,
                    char value[VIEW_NAME_SIZE]) MUST_CHECK;

/* The setting that holds when the list of images (RECEIVED: that of others' images) was confirmed
 * last, in nanoseconds. Static. */
static inline const char *replica_list_setting(bool received)
{
    return received ? "shared_confirmed" : "private_confirmed";
}

/* Sets setting NAME. */
int replica_set(struct connection *connection, const char *name, const char *value) MUST_CHECK;

/* The account PIN, made at NOW where it is new. */
int replica_account(struct connection *connection, const char *pin, int64_t now,
                    int64_t *row) MUST_CHECK;

/* An image as a list or a single answer has it. The strings are borrowed. */
struct replica_image {
    int64_t owner; /* account row */
    const char *id;
    const char *name;
    enum image_status status;
    bool released;
    unsigned snapshots;
    const char *record; /* JSON */
};

/* Whose the image ID is: 1, or 0 where there is none. */
int replica_image_owner(struct connection *connection, const char *id, int64_t *owner) MUST_CHECK;

/* Adds or brings up to date IMAGE at NOW. Gives its row, and whether anything is new: 1, or 0. */
int replica_put_image(struct connection *connection, const struct replica_image *image, int64_t now,
                      int64_t *row) MUST_CHECK;

/* Removes image ROW, its shares, and what is known of it, at NOW. */
int replica_remove_image(struct connection *connection, int64_t row, int64_t now) MUST_CHECK;

/* Rows of the images of OWNER above AFTER, at most LIMIT. Returns their number. */
int replica_images(struct connection *connection, int64_t owner, int64_t after, int limit,
                   int64_t *rows) MUST_CHECK;

/* An image as it is looked for. */
struct replica_found {
    int64_t row;
    char id[VIEW_NAME_SIZE];
};

/* Images of OWNER whose shares were last confirmed before BEFORE_NS, in the order of ids from the
 * one behind AFTER, at most LIMIT. Returns their number. Needs no transaction. */
int replica_stale(struct connection *connection, int64_t owner, const char *after,
                  int64_t before_ns, int limit, struct replica_found *found) MUST_CHECK;

/* Images that others share with PIN, as replica_images(). */
int replica_received(struct connection *connection, const char *pin, int64_t after, int limit,
                     int64_t *rows) MUST_CHECK;

/* Shares image ROW of OWNER with PIN, or cancels that, where it is not so already: 1 if it changed,
 * 0 if not. WRITER is the mount that knows already, 0 for none. */
int replica_share(struct connection *connection, int64_t row, int64_t owner, const char *pin,
                  int64_t writer, int64_t now) MUST_CHECK;
int replica_cancel(struct connection *connection, int64_t row, int64_t owner, const char *pin,
                   int64_t writer, int64_t now) MUST_CHECK;

/* The shares of image ROW were confirmed as of NOW (nanoseconds). */
int replica_confirm(struct connection *connection, int64_t row, int64_t now) MUST_CHECK;
/* Image ROW may be shared with LIMIT accounts. */
int replica_set_limit(struct connection *connection, int64_t row, int64_t limit) MUST_CHECK;

/* Visits the pins that IMAGE is shared with; each is valid during its visit, which returns 0 to go
 * on. */
typedef int (*replica_visit_pin)(const char *pin, void *context);
int replica_shares(struct connection *connection, int64_t image, replica_visit_pin visit,
                   void *context) MUST_CHECK;

/* How far a change in the journal has come. */
enum journal_state {
    JOURNAL_SENT,    /* it is being sent, or was; its answer is awaited */
    JOURNAL_UNKNOWN, /* there is no answer: the member list will tell */
    JOURNAL_DONE,    /* it is made; the member list may lag */
};

struct journal_entry {
    int64_t row;
    int64_t image;
    bool cancel;
    enum journal_state state;
    int64_t at_ns; /* when it was sent, or made */
    char pin[VIEW_NAME_SIZE];
};

int journal_add(struct connection *connection, int64_t image, const char *pin, bool cancel,
                int64_t now, int64_t *row) MUST_CHECK;
int journal_set(struct connection *connection, int64_t row, enum journal_state state,
                int64_t now) MUST_CHECK;
/* ROW is made: it takes the place of what was made of its pin before. */
int journal_made(struct connection *connection, int64_t row, int64_t now) MUST_CHECK;
int journal_remove(struct connection *connection, int64_t row) MUST_CHECK;
/* When the last share (CANCEL: cancel) of IMAGE and PIN was made that the journal still has; 0 where
 * it has none. */
int journal_made_at(struct connection *connection, int64_t image, const char *pin, bool cancel,
                    int64_t *at_ns) MUST_CHECK;
/* Of IMAGE and PIN the row that has no answer: 1, or 0 where there is none. */
int journal_find(struct connection *connection, int64_t image, const char *pin,
                 struct journal_entry *out) MUST_CHECK;
/* Rows of IMAGE (0: of all images) above AFTER, at most LIMIT. Returns their number. Needs no
 * transaction. */
int journal_read(struct connection *connection, int64_t image, int64_t after, int limit,
                 struct journal_entry *entries) MUST_CHECK;
/* What was being sent when the last process ended is of unknown outcome now. */
int journal_recover(struct connection *connection) MUST_CHECK;
/* Changes without an answer, of which nobody knows whether they were made. Needs no transaction. */
int journal_count_unknown(struct connection *connection, int64_t *count) MUST_CHECK;

#endif
