/*
 * What the files of the JD Cloud source share: its state, who may touch what, and the calls between
 * them.
 *
 *   jdcloud_open.c       opening: region, key, replica, account
 *   jdcloud.c            what others ask: describe, refresh, visit, doubt, close
 *   jdcloud_place.c      where a replica lies
 *   jdcloud_pin.c        finding out the account's own pin
 *   jdcloud_change.c     a change from its decision to its settlement
 *   jdcloud_unsettled.c  what may be said of a change that nobody knows of
 *   jdcloud_tend.c       looking after the changes that wait
 *   jdcloud_members.c    the shares of one image
 *   jdcloud_record.c     the record of one image, and its limit
 *   jdcloud_lists.c      the lists of images
 *   jdcloud_keeper.c     what is due by the clock
 *
 * One mutex guards all of it. Nothing is submitted (to the writer, to the client) and no done() is
 * called while it is held: those may come back here at once.
 */
#ifndef CORE_SOURCE_JDCLOUD_STATE_H
#define CORE_SOURCE_JDCLOUD_STATE_H

#include "core/base/names.h"
#include "core/catalog/catalog.h"
#include "core/cloud/api.h"
#include "core/cloud/client.h"
#include "core/source/jdcloud.h"
#include "core/store/write.h"

#include <pthread.h>

/* How long OPENDIR waits for news at most: it is the one place where waiting harms nobody. */
#define VISIT_WAIT_MS 5000

/* Shares that were opened so recently are kept fresh. Those that could not be asked for are so again
 * after a while. */
#define IN_USE_MS (600 * 1000LL)
#define AGAIN_MS 2000

/* How long the member list may lag behind a change ("the display may lag, press refresh", without a
 * figure): a change without an answer that is not in the list by then was not made; one with an
 * answer is shown so long although the list says otherwise. */
#define SETTLE_NS (10 * 1000000000LL)
#define LAG_NS (60 * 1000000000LL)

/* A list that has agreed with a change may be followed by one from before it, which another server
 * of the service has: so long after a change no list takes it back. */
#define FLAP_NS (10 * 1000000000LL)

/* A change whose fate is unknown is sent again, if the list shows that it was not made, so often.
 */
#define SENDS_MAX 3

struct image_state;
struct page;
struct unsettled;

enum operation_state {
    OPERATION_WAITING,  /* for those before it */
    OPERATION_DECIDING, /* a job of it is with the writer */
    OPERATION_BLOCKED,  /* an earlier change of its pin is of unknown outcome */
    OPERATION_SENT,     /* its call is with the client */
    OPERATION_CHECKING, /* the members are asked for what became of it */
    OPERATION_AGAIN,    /* to be sent again at again_ms */
};

/* A change on its way. At the head of its image's queue it belongs to whoever carries out its step;
 * all fields but those under the mutex are that one's. */
struct operation {
    struct operation *next; /* under the mutex */
    struct operation *due;  /* the keeper's */
    struct jdcloud *cloud;
    struct image_state *image;
    struct change *change; /* under the mutex: the caller's; NULL once it was answered */
    int64_t let_go_ms;     /* under the mutex: when its caller was, by a signal; 0 = he waits */
    bool noted;            /* under the mutex: that is in the journal and the log */
    enum operation_state state; /* under the mutex */
    struct change own;          /* a copy, for decisions and events */
    struct job job;
    struct call call;
    int sends;
    int64_t again_ms;
    int64_t deadline_ms;
    int64_t journal;     /* row, 0 before it is written; set under the mutex */
    int64_t opposite_ns; /* when the last opposite change of its pin was made here, 0 = unknown */
    bool blocked;
    bool settled_again;
    bool made;
    int result;
    char id[VIEW_NAME_SIZE]; /* of the image */
    char request_id[72];
    char message[256];
};

/* What goes on about one image. */
struct image_state {
    struct image_state *chain;
    struct jdcloud *cloud;
    int64_t row;
    char id[VIEW_NAME_SIZE]; /* while its members are asked for */
    struct operation *first, **last;
    int64_t fresh_ns;  /* of the last list of its members that was merged, 0 = none */
    int64_t opened_ms; /* of the last OPENDIR of its shares/, 0 = never */
    int failed;        /* why its last refresh failed; 0 */

    /* Asking for its members, or for its record. */
    struct call call;
    bool fetching;
    bool prefetch;                 /* is one of a sweep */
    int64_t began_ns;              /* of the call */
    struct refresh *waiters;       /* of the call under way */
    struct refresh *next_waiters;  /* of the one after it: what they want is newer */
    struct refresh *record_wanted; /* of its record */
    bool record_fetching;
    struct call record_call;

    struct call quota_call;
    bool quota_fetching;
    int64_t quota_ms; /* when the limit was asked for last, 0 = never */
};

/* Bytes of the JSON of one image at most. Whoever lists attributes has several of them in memory. */
#define JDCLOUD_RECORD_MAX (1UL << 20)

/* Images that cannot be shown: how many, and what the first ones are called. */
#define UNLISTABLE_MAX 16
struct unlistable {
    int64_t count;
    struct names names;
};

/* One of the two lists. */
struct listing {
    struct jdcloud *cloud;
    bool received; /* the one of imageSource shared */
    bool fetching;
    bool again; /* it changed while it was read: once more */
    int64_t started_ms;
    int64_t began_ns;
    int64_t confirmed_ns; /* 0 = never */
    int failed;           /* why its last refresh failed; 0 */
    enum call_priority priority;
    struct page *asked;   /* calls under way */
    int pages, pages_out; /* asked for; without an answer yet */
    char **bodies;        /* JSON, one a page */
    int64_t bytes;        /* of them all */
    int64_t total;        /* as the first page said; -1 = unknown */
    int result;
    struct unlistable unlistable;
    struct refresh *waiters;
    struct refresh *next_waiters;
};

#define IMAGE_BUCKETS 1024

struct jdcloud {
    struct catalog *catalog;
    struct client *client;
    struct credentials credentials;
    char *region;
    char *endpoint; /* NULL: the services' own */
    int64_t refresh_ms, maxage_ms, timeout_ms;

    pthread_mutex_t mutex;
    pthread_cond_t wake; /* of the keeper; CLOCK_MONOTONIC */
    bool news;           /* something came since the keeper began to look */
    pthread_t keeper;
    bool keeper_runs;

    /* under mutex */
    bool stopping;
    struct job *jobs, **last_job; /* for the keeper: the news that answers have brought */
    int away; /* why the cloud cannot be reached: a negative refusal; 0 = it can */
    int64_t away_ns;
    int64_t probe_ms;
    int probe_wait_ms;
    bool probing;
    struct listing lists[2];
    struct image_state *images[IMAGE_BUCKETS];
    int64_t unknown; /* changes of unknown outcome in the journal */
    int64_t unknown_ms;
    struct unsettled
        *unsettled; /* those of them that this process has made; goes when all are settled */
    struct refresh *settle_waiters; /* who wants to know what became of one */
    int64_t settle_ms;              /* when they were told last to ask again */
    int64_t sweep_ms; /* when shares/ that were stale were last opened one after the other */
    int64_t visit_ms, visit_row;   /* the last OPENDIR that found a stale shares/ */
    char sweep_id[VIEW_NAME_SIZE]; /* the image after which is prefetched */
    struct refresh *fill_waiters;  /* who wants the shares of all images to have been asked for */
    int64_t fill_ns;               /* since when somebody does */
    int prefetching;               /* calls of the sweep under way */
    int64_t aged_ms;               /* when aged shares were last looked for */
    int64_t
        in_use_ms; /* when the shares in use are looked at next; 0: at once, and all are asked for */
};

static inline struct jdcloud *jdcloud_of(const struct source *source)
{
    return source->state;
}

/* jdcloud_place.c. Appends the path of the replica of REGION, ENDPOINT (NULL: the usual one) and
 * ACCESS_KEY below DIRECTORY (NULL: systemd's, or the user's), which is made. 0 or a negative
 * errno. */
int jdcloud_place(const char *directory, const char *region, const char *endpoint,
                  const char *access_key, struct buffer *path, struct buffer *error) MUST_CHECK;

/* jdcloud_open.c: of the source's table. */
int jdcloud_start(struct source *source) MUST_CHECK;
void jdcloud_free(struct source *source);

/* jdcloud_pin.c. Asks the cloud whose key it is. 0, or a negative errno with ERROR set. Waits. */
int jdcloud_find_pin(struct jdcloud *cloud, char pin[VIEW_NAME_SIZE],
                     struct buffer *error) MUST_CHECK;

/* jdcloud.c. */
/* What a source does. Static. */
const struct source_ops *jdcloud_table(void);
/* What a reply tells of the way to the cloud. Without the mutex. */
void jdcloud_hear(struct jdcloud *cloud, const struct reply *reply);
/* The state of image ROW, NULL where nothing goes on about it; and the same, made where it is new,
 * NULL without memory. Under the mutex. */
struct image_state *jdcloud_find(struct jdcloud *cloud, int64_t row);
struct image_state *jdcloud_image(struct jdcloud *cloud, int64_t row);
/* Lets those look again who wait for what became of a change. Without the mutex. */
void jdcloud_look_again(struct jdcloud *cloud);
/* Puts WAITER (NULL: nobody) on LIST. Under the mutex. */
void jdcloud_wait(struct refresh **list, struct refresh *waiter);
/* Ends all of LIST with RESULT. Without the mutex. */
void jdcloud_end(struct refresh *list, int result);
/* Lets the keeper look again at once, also where it is looking just now. Under the mutex. */
void jdcloud_wake(struct jdcloud *cloud);
/* Has JOB committed by the keeper, with all others that come meanwhile: the client's thread has
 * answers to hear. */
void jdcloud_submit(struct jdcloud *cloud, struct job *job);
/* Commits them. The keeper's; without the mutex. Returns whether there was any. */
bool jdcloud_commit(struct jdcloud *cloud);
/* Writes an event of the program itself: ACTION of PIN (or NULL) on the image ID. Inside a
 * transaction; EXTRA as in event.h, or NULL. */
int jdcloud_record(struct jdcloud *cloud, struct connection *connection, const char *action,
                   const char *id, const char *pin, int result, const char *extra,
                   int64_t now) MUST_CHECK;

/* jdcloud_change.c. */
void jdcloud_change(struct source *source, struct change *change);
/* OPERATION, the first of its queue and DECIDING, takes its next step: it is decided, or sent again.
 * Without the mutex. */
void jdcloud_go_on(struct operation *operation);
/* The end of OPERATION, which is in no queue any more and was never sent: its caller hears RESULT.
 * Without the mutex. */
void jdcloud_let_go(struct operation *operation, int result);
/* The journal of image ROW has changed: what was blocked is decided anew. Without the mutex. */
void jdcloud_unblock(struct jdcloud *cloud, int64_t row);

/* jdcloud_unsettled.c. */
/* The caller of the change in the journal's row JOURNAL was told WHY nobody knows what became of it (a
 * negative refusal/errno). Without memory it is as after a restart. Without the mutex. */
void jdcloud_remember_unsettled(struct jdcloud *cloud, int64_t journal, int why);
/* Forgets all of that. Under the mutex. */
void jdcloud_forget_unsettled(struct jdcloud *cloud);
/* The change of image ROW in the journal's row JOURNAL, if it is on its way at this moment: its own
 * answer settles it; NULL. Under the mutex; and whether there is one, without it. */
struct operation *jdcloud_find_change(struct jdcloud *cloud, int64_t row, int64_t journal);
bool jdcloud_is_under_way(struct jdcloud *cloud, int64_t row, int64_t journal);
/* What may be said of PIN of image ROW where its last change has no answer: nothing, until it is
 * settled. Who has heard why there is none hears the same again; who has not (he was interrupted, or
 * the program ended in between) may wait. As source_ops.doubt. Without the mutex. */
int jdcloud_doubt_change(struct jdcloud *cloud, struct view *view, int64_t row,
                         const char *pin) MUST_CHECK;

/* jdcloud_tend.c. */
/* Looks after all changes under way: the interrupted, the late, those to be sent again. Keeper's
 * thread; returns whether there are any. */
bool jdcloud_tend_changes(struct jdcloud *cloud);

/* jdcloud_members.c. */
/* Asks for the members of image ROW, whose id is ID; WAITER (NULL: nobody waits) hears the end;
 * with NEWER it is one that began after now. Without the mutex. */
void jdcloud_fetch_members(struct jdcloud *cloud, int64_t row, const char *id,
                           enum call_priority priority, bool newer, bool prefetch,
                           struct refresh *waiter);
/* Takes all shares from IMAGE: a list that was begun at BEGAN_NS says that nobody has it. Inside a
 * transaction. */
int jdcloud_merge_none(struct jdcloud *cloud, struct connection *connection,
                       const struct write_image *image, int64_t began_ns, int64_t now) MUST_CHECK;
/* Counts the changes of unknown outcome anew, once a transaction that may have settled some. */
int jdcloud_count_unknown(struct jdcloud *cloud, struct connection *connection) MUST_CHECK;

/* jdcloud_record.c. */
/* Asks for the record of image ROW. Without the mutex. */
void jdcloud_fetch_record(struct jdcloud *cloud, int64_t row, const char *id,
                          struct refresh *waiter);
/* Asks for the limit of image ROW, if it is older than an hour or ANEW. Without the mutex. */
void jdcloud_fetch_quota(struct jdcloud *cloud, int64_t row, const char *id, bool anew);

/* jdcloud_lists.c. */
void jdcloud_fetch_list(struct jdcloud *cloud, bool received, enum call_priority priority,
                        bool newer, struct refresh *waiter);

/* jdcloud_keeper.c. */
/* Has the keeper look at the shares in use AFTER_MS from now, if it would not sooner. Under the
 * mutex. */
void jdcloud_look_after(struct jdcloud *cloud, int64_t after_ms);
void *jdcloud_keep(void *context);

#endif
