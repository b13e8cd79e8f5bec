/* Deciding a change: see the header. */
#include "core/catalog/decide.h"

#include "core/rules/refusal.h"

#include <errno.h>
#include <string.h>

/* Fills what the rules ask of the image. */
static int load_image(struct catalog *catalog, struct connection *connection, int64_t row,
                      struct write_image *image, struct rules_image *rules)
{
    int result = write_image(connection, row, image);

    if (result < 0)
        return result == -ENOENT ? -REFUSAL_IMAGE_GONE : result;
    *rules = (struct rules_image){
        .owned = image->owner == catalog->account,
        .status = image->status,
        .released = image->released,
        .snapshots = image->snapshots,
        .shares = image->shares,
    };
    if (catalog->source.remote) {
        /* What the service says today of snapshots. How many accounts an image may be shared with
         * it knows best at the moment of asking. */
        rules->policy = SNAPSHOTS_ENCRYPTED;
        rules->limit = INT64_MAX;
        return 0;
    }
    return connection_settings(connection, &rules->limit, &rules->policy);
}

static int decide_share(struct catalog *catalog, struct connection *connection,
                        struct change *change, struct write_image *image)
{
    struct rules_share share = {
        .pin = change->name,
        .exclusive = change->exclusive,
        .own_pin = strcmp(change->name, catalog->pin) == 0,
        .allow = catalog_allow(catalog, change->name),
    };
    int result = load_image(catalog, connection, change->image, image, &share.image);

    if (result < 0)
        return result;
    result =
        write_find_share(connection, image->row, change->name, &change->share, &change->created_ns);
    if (result < 0)
        return result;
    /* To who received the image, the shares of others are not there. */
    share.shared = result == 1 && (share.image.owned || share.own_pin);
    /* Only the authority elsewhere knows all accounts. */
    result = catalog->source.remote ? 1 : write_has_account(connection, change->name);
    if (result < 0)
        return result;
    share.account_exists = result == 1;
    if (!share.account_exists) {
        result = write_has_mobile(connection, change->name);
        if (result < 0)
            return result;
        share.mobile_number = result == 1;
    }
    return rules_share(&share);
}

static int decide_cancel(struct catalog *catalog, struct connection *connection,
                         struct change *change, int64_t now, struct write_image *image)
{
    struct rules_image rules = {0};
    int result = load_image(catalog, connection, change->image, image, &rules);

    if (result < 0)
        return result;
    result =
        write_find_share(connection, image->row, change->name, &change->share, &change->created_ns);
    if (result < 0)
        return result;
    pid_t process = change->caller.process;
    struct rules_cancel cancel = {
        .owned = rules.owned,
        .shared = result == 1,
        .cancel_off = catalog->options.no_cancel,
        .recursive = guard_is_recursive(&catalog->guard, process, image->row, now),
        .over_limit =
            catalog->options.max_cancel > 0 &&
            guard_cancels(&catalog->guard, process, image->row, now) >= catalog->options.max_cancel,
    };
    return rules_cancel(&cancel);
}

int decide_change(struct catalog *catalog, struct connection *connection, struct change *change,
                  int64_t now, struct write_image *image)
{
    return change->action == CHANGE_SHARE ? decide_share(catalog, connection, change, image)
                                          : decide_cancel(catalog, connection, change, now, image);
}

int decide_image(struct catalog *catalog, struct view *view, const struct view_record *record)
{
    struct rules_image rules = {
        .owned = record->owned,
        .status = record->status,
        .released = record->released,
        .snapshots = record->snapshots,
        .shares = record->shares,
    };
    int result =
        catalog->source.ops->quota(&catalog->source, view, record, &rules.limit, &rules.policy);

    if (rules.limit == 0)
        rules.limit = INT64_MAX;
    return result < 0 ? result : rules_image(&rules);
}
