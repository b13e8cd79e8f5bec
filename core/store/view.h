/*
 * What one account sees of the store: everything that lookup, getattr, readdir and read need.
 *
 * A view is a read connection and the account; it is used by one thread at a time. Each call is a
 * read transaction of its own and leaves none open. Rows are the row ids that inode numbers are
 * made of. "Visible" means: an image that the account owns or that is shared with it; a share of an
 * own image, or the account's own share of another's.
 *
 * All functions return 0, or a negative refusal/errno; -ENOENT where the thing is not there or not
 * visible.
 */
#ifndef CORE_STORE_VIEW_H
#define CORE_STORE_VIEW_H

#include "core/base/text.h"
#include "core/rules/rules.h"
#include "core/store/connection.h"

#include <sys/types.h>
#include <time.h>

#define VIEW_NAME_SIZE (TEXT_NAME_MAX + 1)

/* The largest row id that an inode number has room for; the smallest is 1. A row with another is
 * damage. */
#define VIEW_ROW_MAX (INT64_MAX >> 6)

/* What a file of which no lock and no log tells looked like. */
struct view_look {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
    bool has_log; /* a writer's, with something in it */
};

struct view {
    struct connection connection;
    const char *path; /* borrowed */
    enum connection_mode mode;
    struct view_look look; /* of an immutable one, when it was opened */
    uint64_t renewals;
    int64_t account;          /* row */
    char pin[VIEW_NAME_SIZE]; /* of the account */
};

enum view_scope {
    VIEW_PRIVATE, /* images that the account owns */
    VIEW_SHARED,  /* images that others share with it */
};

struct view_account {
    int64_t images;                                                      /* that it owns */
    int64_t received;                                                    /* shared with it */
    int64_t private_ns, names_ns, received_ns, owners_ns, recipients_ns; /* mtimes: schema.c */
    int64_t events_end;                                                  /* bytes */
};

struct view_image {
    int64_t row;
    bool owned;
    int64_t shares;
    int64_t shares_ns, added_ns, changed_ns;
    char id[VIEW_NAME_SIZE];
};

/* An image with all that its attribute files show. */
struct view_record {
    int64_t row;
    bool owned;
    char owner[VIEW_NAME_SIZE]; /* pin */
    char id[VIEW_NAME_SIZE];
    enum image_status status;
    bool released;
    unsigned snapshots;
    int64_t shares;
    int64_t confirmed_ns; /* replica: when its shares were last confirmed, 0 = never */
    int64_t limit;        /* replica: accounts at most, 0 = unknown */
    char *name;           /* freed by view_record_dispose(), as is record */
    char *record;         /* JSON */
};

struct view_share {
    int64_t row;
    int64_t image;
    int64_t created_ns;
    char pin[VIEW_NAME_SIZE];
};

/* A row of by-account/ or of by-name/shared/. */
struct view_recipient {
    int64_t row;
    int64_t changed_ns;
    char pin[VIEW_NAME_SIZE];   /* who may use */
    char owner[VIEW_NAME_SIZE]; /* whose images */
};

struct view_refusal {
    int64_t at_ns;
    char action[16];
    char *name; /* freed by view_refusal_dispose() */
    char code[32];
};

/* An entry of a listing; the texts are valid during the visit only. */
struct view_entry {
    int64_t row;       /* and where to go on: pass it as AFTER */
    int64_t mtime_ns;  /* of the thing listed */
    int64_t share;     /* view_recipient_images(): row of the share; else 0 */
    const char *name;  /* image id, or pin */
    const char *label; /* view_names(): the image's name; else "" */
};

/* Called for each entry; returns 0 to go on, or anything else to stop. */
typedef int (*view_visit)(const struct view_entry *entry, void *context);

/* Opens a view of PATH (which must outlive it) for the account PIN, whose row is ACCOUNT. Returns 0
 * or a negative errno with ERROR set. */
int view_open(struct view *view, const char *path, enum connection_mode mode, int64_t account,
              const char *pin, struct buffer *error) MUST_CHECK;
/* Looks whether the file of an immutable view has changed, which SQLite then never notices, and if
 * so opens it anew and counts that in view->renewals: where its directory cannot be written by us,
 * somebody else may yet do so. Between two calls, no statement open. Returns 0 or a negative
 * refusal/errno, upon which the view is what it was: -REFUSAL_STORE_REPLACED where there is no file
 * any more, or one in which the account's row is another's or nobody's. */
int view_renew(struct view *view) MUST_CHECK;

void view_close(struct view *view);

int view_account(struct view *view, struct view_account *out) MUST_CHECK;
/* The limit of accounts an image (default RULES_DEFAULT_LIMIT) and the snapshot policy. */
int view_settings(struct view *view, int64_t *limit, enum snapshot_policy *policy) MUST_CHECK;

int view_image(struct view *view, int64_t row, struct view_image *out) MUST_CHECK;
int view_image_by_id(struct view *view, enum view_scope scope, const char *id,
                     struct view_image *out) MUST_CHECK;
/* In the order of rows, from the first row above AFTER. */
int view_images(struct view *view, enum view_scope scope, int64_t after, view_visit visit,
                void *context) MUST_CHECK;
int view_record(struct view *view, int64_t row, struct view_record *out) MUST_CHECK;
void view_record_dispose(struct view_record *record);
/* The last change of image ROW that this account was refused. */
int view_refusal(struct view *view, int64_t row, struct view_refusal *out) MUST_CHECK;
void view_refusal_dispose(struct view_refusal *refusal);

int view_share(struct view *view, int64_t row, struct view_share *out) MUST_CHECK;
int view_share_by_pin(struct view *view, int64_t image, const char *pin,
                      struct view_share *out) MUST_CHECK;
/* All shares of an image; the caller has made sure that the account owns it. */
int view_shares(struct view *view, int64_t image, int64_t after, view_visit visit,
                void *context) MUST_CHECK;
/* Up to 100 shares of own images whose pin no file name can be: row 0, name the image id, label the
 * pin. */
int view_unlistable(struct view *view, view_visit visit, void *context) MUST_CHECK;

int view_recipient(struct view *view, int64_t row, struct view_recipient *out) MUST_CHECK;
/* The account PIN with which this account shares. */
int view_recipient_by_pin(struct view *view, const char *pin,
                          struct view_recipient *out) MUST_CHECK;
/* The account PIN that shares with this account. */
int view_owner_by_pin(struct view *view, const char *pin, struct view_recipient *out) MUST_CHECK;
int view_recipients(struct view *view, int64_t after, view_visit visit, void *context) MUST_CHECK;
int view_owners(struct view *view, int64_t after, view_visit visit, void *context) MUST_CHECK;
/* This account's images that PIN can use, in the order of image rows. */
int view_recipient_images(struct view *view, const char *pin, int64_t after, view_visit visit,
                          void *context) MUST_CHECK;

/* Images of OWNER (a pin: this account's own, or another's that shares with it) with their names.
 */
int view_names(struct view *view, const char *owner, int64_t after, view_visit visit,
               void *context) MUST_CHECK;
/* The same, at most two, of those called NAME: enough to know whether the name is unique. */
int view_named(struct view *view, const char *owner, const char *name, view_visit visit,
               void *context) MUST_CHECK;
/* The same of the one whose image id is ID. */
int view_name_by_id(struct view *view, const char *owner, const char *id, view_visit visit,
                    void *context) MUST_CHECK;

/* Lines of the event log: from the one that holds byte OFFSET on. */
typedef int (*view_line)(int64_t start, const char *line, size_t length, void *context);
int view_events(struct view *view, int64_t offset, view_line visit, void *context) MUST_CHECK;
/* Where the first line that is kept begins (the log's end if there is none), and the time of the
 * last (0 if there is none). */
int view_events_begin(struct view *view, int64_t *offset) MUST_CHECK;
int view_events_time(struct view *view, int64_t *at_ns) MUST_CHECK;

#define CLEANUP_RECORD __attribute__((cleanup(view_record_dispose)))
#define CLEANUP_REFUSAL __attribute__((cleanup(view_refusal_dispose)))

#endif
