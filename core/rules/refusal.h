/*
 * The refusal table: every reason for which this program says no.
 *
 * Each reason has one row: its code (a stable word for scripts), its errno (what the caller of
 * open(2) or unlink(2) gets), a sentence, and what to do. The manual, `imgshare explain`,
 * `shareable`, `last_refusal` and the events all come from here, and a test compares them.
 *
 * Functions that decide return 0 or a negative number: a negative refusal, or a negative errno
 * where something failed that is no decision (memory). The two never meet: refusals start above
 * every errno.
 */
#ifndef CORE_RULES_REFUSAL_H
#define CORE_RULES_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

enum refusal {
    REFUSAL_NONE = 0,

    /* about the image */
    REFUSAL_IMAGE_PENDING = 1000, /* above every errno of Linux (133 at most) */
    REFUSAL_IMAGE_DELETING,
    REFUSAL_IMAGE_ERROR,
    REFUSAL_IMAGE_SNAPSHOT,
    REFUSAL_IMAGE_ENCRYPTED,
    REFUSAL_IMAGE_RELEASED,
    REFUSAL_IMAGE_LIMIT,
    REFUSAL_IMAGE_GONE,
    REFUSAL_NOT_OWNER,

    /* about the name and the account behind it */
    REFUSAL_NO_ACCOUNT,
    REFUSAL_MOBILE_NUMBER,
    REFUSAL_OWN_PIN,
    REFUSAL_PIN_INVALID,
    REFUSAL_PIN_LEFTOVER,
    REFUSAL_PIN_TOO_LONG,
    REFUSAL_PIN_UNLISTED,
    REFUSAL_SHARED,
    REFUSAL_NOT_SHARED,

    /* about cancelling by accident */
    REFUSAL_CANCEL_OFF,
    REFUSAL_CANCEL_LIMIT,
    REFUSAL_CANCEL_RECURSIVE,

    /* about the store */
    REFUSAL_READ_ONLY,
    REFUSAL_STORE_FULL,
    REFUSAL_STORE_DAMAGED,
    REFUSAL_STORE_REPLACED,
    REFUSAL_STORE_LOCKED,
    REFUSAL_INTERRUPTED,

    /* about the cloud's service, and the way to it */
    REFUSAL_SERVICE_BUSY,
    REFUSAL_SERVICE_KEY,
    REFUSAL_SERVICE_FORBIDDEN,
    REFUSAL_SERVICE_RATE,
    REFUSAL_SERVICE_TIMEOUT,
    REFUSAL_SERVICE_NO_HOST,
    REFUSAL_SERVICE_NO_NETWORK,
    REFUSAL_SERVICE_CLOSED,
    REFUSAL_SERVICE_TLS,
    REFUSAL_SERVICE_FAILED,
    REFUSAL_SERVICE_ANSWER,
    REFUSAL_SERVICE_REFUSED,

    /* about the tree: what is no share can be neither made nor changed */
    REFUSAL_TREE_CREATE,
    REFUSAL_TREE_REMOVE,
    REFUSAL_TREE_RENAME,
    REFUSAL_TREE_ATTRIBUTE,
    REFUSAL_TREE_CONTENT,
    REFUSAL_TREE_MODE,

    REFUSAL_END
};

/* What a row applies to. */
enum refusal_scope {
    REFUSAL_SHARE = 1,
    REFUSAL_CANCEL = 2,
    REFUSAL_TREE = 4,   /* any other call */
    REFUSAL_KERNEL = 8, /* the kernel answers by itself as a rule: then there is no event */
};

struct refusal_row {
    enum refusal refusal;
    unsigned scope; /* of enum refusal_scope */
    int error;      /* positive errno */
    const char *error_name;
    const char *code;
    const char *sentence;
    const char *remedy;
};

/* The row of REFUSAL, or NULL if there is none. Static. */
const struct refusal_row *refusal_find(enum refusal refusal);

/* The row whose code is CODE, or NULL. Static. */
const struct refusal_row *refusal_find_code(const char *code);

/* Row INDEX of the table, in the order of the enum, or NULL past its end. Static. */
const struct refusal_row *refusal_at(size_t index);

/* The positive errno for RESULT, a negative refusal or errno as the functions of core/ return it.
 */
int refusal_errno(int result);

/* The sentence of that row, or of the system for a plain errno. Static. */
const char *refusal_sentence(int result);

/* Whether REFUSAL says that the store could not be asked, and nothing of the rules. */
bool refusal_is_fault(enum refusal refusal);

/* The row for RESULT, or NULL where it is 0 or a plain errno. */
const struct refusal_row *refusal_of(int result);

#endif
