/*
 * The rules: may this image be shared with that account, may this share be cancelled?
 *
 * Pure functions of what the caller found in the store. The caller evaluates them inside the write
 * transaction, so that two mounts cannot both pass at one below the limit.
 */
#ifndef CORE_RULES_RULES_H
#define CORE_RULES_RULES_H

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

/* An image's status, by the API's words; the numbers are stored. */
enum image_status {
    IMAGE_READY = 0, /* the console's "available" */
    IMAGE_PENDING = 1,
    IMAGE_DELETING = 2,
    IMAGE_ERROR = 3,
};

/* Which snapshots an image references; the bits are stored. */
enum image_snapshots {
    IMAGE_HAS_SNAPSHOT = 1,
    IMAGE_HAS_ENCRYPTED = 2,
};

/* Which referenced snapshots forbid sharing: a setting of the registry. Documents of 2018 forbid
 * all of them, since 2021 only encrypted ones. */
enum snapshot_policy {
    SNAPSHOTS_ANY,       /* any snapshot forbids sharing; the default */
    SNAPSHOTS_ENCRYPTED, /* an encrypted one does */
    SNAPSHOTS_NONE,      /* none does */
};

/* How many accounts an image may be shared with, unless the registry says otherwise: the figure of
 * the API's current description. */
#define RULES_DEFAULT_LIMIT 20

struct rules_image {
    bool owned; /* by the account that asks */
    enum image_status status;
    bool released;      /* open to everyone */
    unsigned snapshots; /* of enum image_snapshots */
    enum snapshot_policy policy;
    int64_t shares; /* accounts that it is shared with */
    int64_t limit;
};

enum allow_verdict {
    ALLOW_NO_LIST, /* the mount has no allow-list */
    ALLOW_LISTED,
    ALLOW_UNLISTED,
};

struct rules_share {
    struct rules_image image;
    const char *pin;
    bool shared;    /* it is already */
    bool exclusive; /* the caller asked for a new entry (O_EXCL) */
    bool own_pin;
    bool account_exists;
    bool mobile_number; /* no account has this pin, but one has this mobile number */
    enum allow_verdict allow;
};

struct rules_cancel {
    bool owned;
    bool shared;
    bool cancel_off; /* -o nocancel */
    bool recursive;  /* the process was just refused a removal in the image's directory */
    bool over_limit; /* -o maxcancel is used up */
};

/* The policy's word ("any", "encrypted", "none"), and the policy of a word: 0, or -EINVAL. */
const char *rules_policy_name(enum snapshot_policy policy);
int rules_policy_parse(const char *word, enum snapshot_policy *out) MUST_CHECK;

/* The status by the API's words ("ready", ...), 0 or -EINVAL; and the console's word in lower case,
 * which people know ("available" for ready). */
int rules_status_parse(const char *word, enum image_status *out) MUST_CHECK;
const char *rules_status_name(enum image_status status);

/* Whether the image as such can be shared with one more account (the file shareable).
 * Returns 0 or a negative refusal. */
int rules_image(const struct rules_image *image) MUST_CHECK;

/* Returns 0: share it; 1: it is shared, which is success, and there is nothing to do; or a negative
 * refusal. An existing share is success whatever else holds: the wanted state is there. */
int rules_share(const struct rules_share *share) MUST_CHECK;

/* Returns 0: cancel it; or a negative refusal. Never one whose errno is EINVAL, EILSEQ or ENOTDIR:
 * rm -f takes those for success. */
int rules_cancel(const struct rules_cancel *cancel) MUST_CHECK;

#endif
