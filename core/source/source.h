/*
 * A source: where images, accounts and shares come from, and who carries out a change.
 *
 * Reads never come here: the store is the only view, and a source keeps the store true. A
 * registry's source is nearly empty, since its store is the authority. That of a cloud asks the
 * service, writes what it learns into the store, and settles changes there.
 *
 * Changes and refreshes are asynchronous: the call returns at once, and done() is called once,
 * before or after the return, from any thread, with no lock held. Nothing that answers a request
 * waits for a source by sleeping.
 */
#ifndef CORE_SOURCE_SOURCE_H
#define CORE_SOURCE_SOURCE_H

#include "core/base/buffer.h"
#include "core/catalog/event.h"
#include "core/store/view.h"
#include "core/store/writer.h"

enum change_action {
    CHANGE_SHARE,
    CHANGE_CANCEL,
    CHANGE_OTHER, /* a call that no source knows (mkdir, rename, ...): refused, and written down */
};

struct catalog;

/* One change that a caller asked for. Made by fs/, owned by the catalog and the source until
 * done(). done() may free it. */
struct change {
    struct job job; /* the source's, for its commit */
    struct catalog *catalog;

    enum change_action action;
    const char *verb;          /* the word of the event: "share", "cancel", "mkdir"; static */
    int64_t image;             /* row; 0 for a CHANGE_OTHER outside an image */
    char name[VIEW_NAME_SIZE]; /* the pin; of CHANGE_OTHER the name that it was about, or "" */
    bool exclusive;            /* CHANGE_SHARE: O_EXCL */
    int refusal;               /* CHANGE_OTHER: negative */
    struct caller caller;

    /* Results of CHANGE_SHARE. */
    int64_t share; /* row */
    int64_t created_ns;

    /* Whether the caller was interrupted: then what was not begun is not begun. May be NULL. */
    bool (*interrupted)(struct change *change);
    /* RESULT: 0 or a negative refusal/errno. */
    void (*done)(struct change *change, int result);
};

/* Whether the caller of CHANGE was interrupted; not that of NULL. */
static inline bool change_is_interrupted(struct change *change)
{
    return change && change->interrupted && change->interrupted(change);
}

/* One wish to hear the news. */
struct refresh {
    struct refresh *next; /* the source's */
    int64_t deadline_ms;  /* the source's; 0 before it is asked */
    bool forgiving;       /* the source's: a failure is not told */
    int64_t image;        /* row, or 0 for the lists of images */
    bool shares;          /* of IMAGE: its shares, not its attributes */
    const char *pin;      /* for visit(), of IMAGE: a name in its shares/ is looked up; or NULL */
    bool received;        /* for visit(), without IMAGE: shared/, not private/ */
    bool every;           /* for visit(), without IMAGE: the shares of all images (by-account/) */
    bool named;           /* for visit(): a name is looked for there: what was not heard is told */
    bool all;             /* without IMAGE: the shares in use as well */
    /* Whether nobody waits any more. May be NULL. */
    bool (*interrupted)(struct refresh *refresh);
    void (*done)(struct refresh *refresh, int result);
};

struct source {
    const struct source_ops *ops;
    struct catalog *catalog;
    /* The store is a replica of an authority elsewhere: that knows the accounts and the limits, and
     * images come and go. */
    bool remote;
    void *state; /* the source's own */
};

struct source_ops {
    /* Appends "key: value" lines for the file status: what it is, whether it is there. */
    void (*describe)(struct source *source, struct buffer *out);
    /* Makes the store agree with the authority. */
    void (*refresh)(struct source *source, struct refresh *refresh);
    /* Carry out a change: evaluate the rules on the store's view, change the authority, then the
     * store, then done(). */
    void (*share)(struct source *source, struct change *change);
    void (*cancel)(struct source *source, struct change *change);
    /* How many accounts the image of RECORD may be shared with, and which snapshots forbid it;
     * *LIMIT is 0 where that is not known. 0 or a negative refusal/errno. */
    int (*quota)(struct source *source, struct view *view, const struct view_record *record,
                 int64_t *limit, enum snapshot_policy *policy);
    /* When the authority last confirmed the shares of the image of RECORD: nanoseconds since the
     * epoch, 0 never. */
    int64_t (*confirmed)(struct source *source, const struct view_record *record);
    /* A directory is opened, or a name looked up: REFRESH says which, as for a refresh. done() when
     * what the store has is as fresh as it can be had in a short time; of a name it may be asked
     * again. Its result is negative only where the store has never had anything to show there, or
     * nobody knows what became of the change of that name; or, with `named`, where any part of it
     * was never heard of: then "no such name" must not be said. Of remote sources only: any other has
     * all there is. */
    void (*visit)(struct source *source, struct view *view, struct refresh *refresh);
    /* Whether "not shared with PIN" and "shared" may be said of IMAGE now: 0, or why not (a negative
     * refusal/errno), or 1 where that is being found out, and visit() waits for it. *VALID_NS (may
     * be NULL) is how long that answer holds at least. */
    int (*doubt)(struct source *source, struct view *view, int64_t image, const char *pin,
                 int64_t *valid_ns);
    /* Starts what goes on by itself, once the catalog is open and can be written. May be NULL. 0 or a
     * negative errno. */
    int (*start)(struct source *source);
    /* Ends what is under way. No call comes after it but free(). */
    void (*close)(struct source *source);
    /* Frees the source, when no commit is under way. May be NULL. */
    void (*free)(struct source *source);
};

#endif
