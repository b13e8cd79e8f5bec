/* The rules: see the header. The order is from what the caller can change least to most. */
#include "core/rules/rules.h"

#include "core/rules/pin.h"
#include "core/rules/refusal.h"

#include <errno.h>
#include <string.h>

static const char *const policies[] = {
    [SNAPSHOTS_ANY] = "any",
    [SNAPSHOTS_ENCRYPTED] = "encrypted",
    [SNAPSHOTS_NONE] = "none",
};

static const struct {
    const char *api;
    const char *console;
} statuses[] = {
    [IMAGE_READY] = {"ready", "available"},
    [IMAGE_PENDING] = {"pending", "pending"},
    [IMAGE_DELETING] = {"deleting", "deleting"},
    [IMAGE_ERROR] = {"error", "error"},
};

const char *rules_policy_name(enum snapshot_policy policy)
{
    return policies[policy];
}

int rules_policy_parse(const char *word, enum snapshot_policy *out)
{
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        if (strcmp(policies[i], word) == 0) {
            *out = (enum snapshot_policy)i;
            return 0;
        }
    }
    return -EINVAL;
}

int rules_status_parse(const char *word, enum image_status *out)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (strcmp(statuses[i].api, word) == 0) {
            *out = (enum image_status)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *rules_status_name(enum image_status status)
{
    return statuses[status].console;
}

/* What the image's own state says, the limit apart. */
static int rules_state(const struct rules_image *image)
{
    if (!image->owned)
        return -REFUSAL_NOT_OWNER;
    if (image->released)
        return -REFUSAL_IMAGE_RELEASED;
    switch (image->status) {
    case IMAGE_READY:
        break;
    case IMAGE_PENDING:
        return -REFUSAL_IMAGE_PENDING;
    case IMAGE_DELETING:
        return -REFUSAL_IMAGE_DELETING;
    case IMAGE_ERROR:
    default: /* a status of a later time: not known to be available */
        return -REFUSAL_IMAGE_ERROR;
    }
    if (image->policy == SNAPSHOTS_ANY && image->snapshots & IMAGE_HAS_SNAPSHOT)
        return -REFUSAL_IMAGE_SNAPSHOT;
    if (image->policy != SNAPSHOTS_NONE && image->snapshots & IMAGE_HAS_ENCRYPTED)
        return -REFUSAL_IMAGE_ENCRYPTED;
    return 0;
}

int rules_image(const struct rules_image *image)
{
    int result = rules_state(image);

    if (result < 0)
        return result;
    return image->shares >= image->limit ? -REFUSAL_IMAGE_LIMIT : 0;
}

int rules_share(const struct rules_share *share)
{
    if (share->shared)
        return share->exclusive ? -REFUSAL_SHARED : 1;
    if (!share->image.owned)
        return -REFUSAL_NOT_OWNER;
    if (share->allow != ALLOW_LISTED) {
        int result = pin_check(share->pin);
        if (result < 0)
            return result;
    }
    if (share->own_pin)
        return -REFUSAL_OWN_PIN;
    if (share->allow == ALLOW_UNLISTED)
        return -REFUSAL_PIN_UNLISTED;

    int result = rules_state(&share->image);
    if (result < 0)
        return result;
    if (!share->account_exists)
        return share->mobile_number ? -REFUSAL_MOBILE_NUMBER : -REFUSAL_NO_ACCOUNT;
    return rules_image(&share->image);
}

int rules_cancel(const struct rules_cancel *cancel)
{
    if (!cancel->owned)
        return -REFUSAL_NOT_OWNER;
    if (!cancel->shared)
        return -REFUSAL_NOT_SHARED;
    if (cancel->cancel_off)
        return -REFUSAL_CANCEL_OFF;
    if (cancel->recursive)
        return -REFUSAL_CANCEL_RECURSIVE;
    if (cancel->over_limit)
        return -REFUSAL_CANCEL_LIMIT;
    return 0;
}
