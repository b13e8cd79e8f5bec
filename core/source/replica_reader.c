/* A replica that is only looked at: see the header. */
#include "core/source/replica_reader.h"

#include "core/base/text.h"
#include "core/catalog/catalog.h"
#include "core/store/replica.h"

#include <errno.h>

int replica_reader_quota(struct source *source, struct view *view, const struct view_record *record,
                         int64_t *limit, enum snapshot_policy *policy)
{
    (void)source;
    (void)view;
    *limit = record->limit;
    *policy = SNAPSHOTS_ENCRYPTED;
    return 0;
}

static int64_t reader_confirmed(struct source *source, const struct view_record *record)
{
    (void)source;
    return record->confirmed_ns;
}

static void reader_close(struct source *source)
{
    (void)source;
}

static const struct source_ops reader_ops = {
    .quota = replica_reader_quota,
    .confirmed = reader_confirmed,
    .close = reader_close,
};

int replica_reader_open(struct catalog *catalog, struct buffer *error)
{
    struct store *store = &catalog->store;
    char source[VIEW_NAME_SIZE];
    int result = store_open_any(catalog->options.path, store, error);

    if (result < 0)
        return result;
    result = replica_setting(&store->connection, "source", source);
    if (result < 0 || !source[0]) {
        text_escape(error, store->path);
        buffer_puts(error, ": not the replica of a cloud");
        store_close(store);
        return -EINVAL;
    }
    /* The locks are those of who has mounted it, and so is writing. */
    if (store->lock_fd >= 0)
        (void)close(store->lock_fd);
    store->lock_fd = -1;
    if (store->mode == CONNECTION_READ_WRITE)
        store->mode = CONNECTION_READ_ONLY;
    result = store_account(store, catalog->options.account, &catalog->account, catalog->pin, error);
    if (result < 0) {
        store_close(store);
        return result;
    }
    catalog->source = (struct source){.ops = &reader_ops, .catalog = catalog, .remote = true};
    return 0;
}
