/*
 * The catalog: the facade of core/ that a mount talks to.
 *
 * It opens a store for one account, with the lists and limits of the mount, and takes changes.
 * Reads go to a view (store/view.h) of the reading thread's own, opened by catalog_view(). What the
 * files of the tree say is in attribute.h, by_name.h and report.h.
 */
#ifndef CORE_CATALOG_CATALOG_H
#define CORE_CATALOG_CATALOG_H

#include "core/catalog/event.h"
#include "core/catalog/fold.h"
#include "core/rules/guard.h"
#include "core/rules/pin_list.h"
#include "core/rules/rules.h"
#include "core/source/jdcloud.h"
#include "core/source/source.h"
#include "core/store/store.h"
#include "core/store/writer.h"

#include <pthread.h>

/* How many lines the event log keeps; older ones go at a mount. */
#define CATALOG_EVENT_LINES 10000

/* What the mount was asked for. The strings are the caller's and must outlive the catalog. */
struct catalog_options {
    const char *path; /* of the store; what was mounted, where OPEN finds that by itself */
    /* Opens the store and the account's row and pin, and fills the source: 0, or a negative errno
     * with ERROR set and the store closed. NULL: the registry at PATH. */
    int (*open)(struct catalog *catalog, struct buffer *error);
    const struct jdcloud_options *cloud; /* for jdcloud_open() */
    struct buffer
        *warnings;       /* gets what should be mended, if not NULL; during catalog_open() only */
    const char *account; /* pin, or NULL for the only one there is */
    const char *allow;   /* file of the allow-list, or NULL */
    const char *trust;   /* file of the trust-list, or NULL */
    bool read_only;      /* mounted so, whatever the store allows */
    bool no_cancel;
    int64_t max_cancel; /* cancels of one process in one image a minute; 0 = no limit */
    /* Gets what the keeper of the machine should know: a line of text, and its level as syslog's.
     * Called from any thread, perhaps inside a transaction; NULL: nobody listens. */
    void (*log)(int level, const char *text);
};

/* Fields are for core/ and for reading by fs/; those without a lock are constant after
 * catalog_open(). */
struct catalog {
    struct catalog_options options;
    struct store store; /* its connection is the writer's */
    int64_t account;    /* row */
    char pin[VIEW_NAME_SIZE];
    int64_t mount_id; /* random, never 0: marks this mount's rows in the feed */
    int64_t opened_ns;
    int64_t events_base; /* where the file events begins in the account's log */
    struct source source;
    struct writer *writer; /* NULL where the store is read-only */
    struct guard guard;
    struct fold fold;

    pthread_mutex_t mutex;
    struct pin_list *allow; /* under mutex; NULL = none */
    struct pin_list *trust; /* under mutex; NULL = none */
    char last_error[512];   /* under mutex: of the store; "" = none */
};

/* Opens the store and the lists; a cloud's starts its threads. Returns 0 with *OUT to be stopped
 * and closed by catalog_stop() and catalog_close(), or a negative errno with ERROR saying what is
 * wrong and what to do, and nothing left open. */
int catalog_open(const struct catalog_options *options, struct buffer *error,
                 struct catalog **out) MUST_CHECK;

/* From now on nothing waits for another process or for the network: what does, ends with
 * -REFUSAL_INTERRUPTED. Once, before the threads that make changes are waited for. */
void catalog_stop(struct catalog *catalog);

/* Waits for the commit under way, and frees everything. Views must be closed first, and no call
 * comes after it. NULL is allowed. */
void catalog_close(struct catalog *catalog);

/* Whether the store can be written. */
bool catalog_is_writable(const struct catalog *catalog);

/* Opens a view for the calling thread. Returns 0 or a negative errno with ERROR set. */
int catalog_view(struct catalog *catalog, struct view *view, struct buffer *error) MUST_CHECK;

/* Carries out CHANGE: change->done() is called once, perhaps before this returns. Any thread. The
 * catalog fills change->catalog and change->verb (of a share or a cancel). */
void catalog_change(struct catalog *catalog, struct change *change);

/* Asks the source for news: refresh->done() is called once. Any thread. */
void catalog_refresh(struct catalog *catalog, struct refresh *refresh);

/* Reads the allow- and the trust-list anew and writes an event. A list that cannot be read leaves
 * the old one in force. Any thread but a request's. */
void catalog_reload(struct catalog *catalog);

/* Remembers, for the file status, that the store or the source failed with RESULT. Any thread. */
void catalog_remember_error(struct catalog *catalog, int result);

/* The same, and logs it. */
void catalog_note_error(struct catalog *catalog, int result);

/* Tells options.log; LEVEL is one of syslog's. Any thread, without a lock. */
void catalog_log(struct catalog *catalog, int level, const char *format, ...) PRINTF_LIKE(3, 4);

/* Whether "PIN is not shared with" and "is shared with" may be said of the image ROW: 0, or why not
 * (a negative refusal/errno). *VALID_NS is how long that holds at least. */
int catalog_doubt(struct catalog *catalog, struct view *view, int64_t row, const char *pin,
                  int64_t *valid_ns) MUST_CHECK;

/* Whether what the store does not have may be in what WHERE names (as for ops->visit): the authority
 * has never told all of that, or it is being found out what became of a change of WHERE's pin. Then
 * the source has to be asked (ops->visit) before "no" is said. PIN is the name that is looked for
 * where that is a pin, else NULL; one that can be no pin is asked for nowhere. */
bool catalog_must_ask(struct catalog *catalog, struct view *view, const struct refresh *where,
                      const char *pin);

/* For sources and decide.c: the allow-list's word on PIN. */
enum allow_verdict catalog_allow(struct catalog *catalog, const char *pin);

/* For attribute.c: whether images of the account PIN are trusted. */
bool catalog_trusts(struct catalog *catalog, const char *pin);

/* For sources: writes EVENT into the log. Inside a transaction; 0 or a negative refusal/errno. */
int catalog_record(struct catalog *catalog, struct connection *connection,
                   const struct event *event) MUST_CHECK;

/* For sources: writes the event of CHANGE, which was made; EXTRA as in event.h, or NULL. Inside the
 * transaction; 0 or a negative refusal/errno. */
int catalog_record_change(struct catalog *catalog, struct connection *connection,
                          const struct change *change, const char *image_id, int64_t now,
                          const char *extra) MUST_CHECK;

/* For sources: writes the event of CHANGE, which was refused with RESULT, and the image's
 * last_refusal; equal ones in a row are folded. Of a store that was replaced nothing is written, only
 * remembered for the file status, and logged. Inside a transaction. */
void catalog_record_refused(struct catalog *catalog, struct connection *connection,
                            const struct change *change, int result, int64_t now,
                            const char *extra);

#endif
