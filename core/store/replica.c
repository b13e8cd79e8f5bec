/* What a replica has besides: see the header. */
#include "core/store/replica.h"

#include "core/rules/refusal.h"
#include "core/store/create.h"
#include "core/store/lock.h"
#include "core/store/query.h"

#include <errno.h>
#include <string.h>

/* The limit of accounts an image is the cloud's; the setting is not looked at. */
#define NO_LIMIT 1000000

static int describe(struct store *store, int result, struct buffer *error)
{
    if (error->length == 0)
        buffer_printf(error, "%s: %s", store->path, connection_message(&store->connection, result));
    return -refusal_errno(result);
}

/* The store is open: it must be the replica of SOURCE, and nobody else's. */
static int claim(struct store *store, const char *source, struct buffer *error)
{
    char found[VIEW_NAME_SIZE];

    bool writable = store->mode == CONNECTION_READ_WRITE; /* else nothing is sent, and no matter */
    int result = writable ? lock_mark_alone(store->lock_fd) : 0;
    if (result == -EAGAIN) {
        buffer_printf(error, "%s: in use by another imgsharefs; one mount has a region and a key",
                      store->path);
        return -EBUSY;
    }
    if (result == 0)
        result = replica_setting(&store->connection, "source", found);
    if (result == 0 && strcmp(found, source) != 0) {
        buffer_printf(error, "%s: is of %s, not of %s; use another state=", store->path,
                      found[0] ? found : "a registry", source);
        return -EINVAL;
    }
    if (result == 0 && writable)
        result = journal_recover(&store->connection);
    return result < 0 ? describe(store, result, error) : 0;
}

int replica_open(const char *path, const char *source, struct store *store, bool *created,
                 struct buffer *error)
{
    int result = 0;

    *created = access(path, F_OK) < 0 && errno == ENOENT;
    if (*created) {
        const struct create_options options = {
            .source = source, .limit = NO_LIMIT, .policy = SNAPSHOTS_ENCRYPTED};
        result = store_create(path, &options, error);
        if (result < 0)
            return result;
    }
    result = store_open_any(path, store, error);
    if (result < 0)
        return result;
    result = claim(store, source, error);
    if (result < 0)
        store_close(store);
    return result;
}

void replica_discard(struct store *store)
{
    CLEANUP_FREE char *path = store->path ? strdup(store->path) : NULL;

    store_close(store);
    if (path)
        store_remove(path);
}

int replica_setting(struct connection *connection, const char *name, char value[VIEW_NAME_SIZE])
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_SETTING);

    value[0] = '\0';
    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "t", name);
    if (result == 0)
        result = statement_step(connection, use);
    if (result == 1)
        (void)snprintf(value, VIEW_NAME_SIZE, "%s", statement_text(use, 0));
    return result < 0 ? result : 0;
}

int replica_set(struct connection *connection, const char *name, const char *value)
{
    return statement_run(connection, STATEMENT_SETTING_SET, "tt", name, value);
}

int replica_account(struct connection *connection, const char *pin, int64_t now, int64_t *row)
{
    int result = statement_value(connection, STATEMENT_ACCOUNT_ID, row, "t", pin);

    if (result != 0)
        return result < 0 ? result : 0;
    result = statement_run(connection, STATEMENT_ACCOUNT_ADD, "tti", pin, (const char *)NULL, now);
    if (result == 0)
        *row = sqlite3_last_insert_rowid(connection->db);
    return result;
}

/* What an image that is there looks like. */
struct present {
    int64_t row;
    int64_t owner;
    bool same_name;
    bool same;
};

static int find_present(struct connection *connection, const struct replica_image *image,
                        struct present *out)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_REPLICA_IMAGE);

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "ttt", image->id, image->name, image->record);
    if (result == 0)
        result = statement_step(connection, use);
    if (result == 1)
        *out = (struct present){
            .row = sqlite3_column_int64(use, 0),
            .owner = sqlite3_column_int64(use, 1),
            .same_name = sqlite3_column_int(use, 2) != 0,
            .same = sqlite3_column_int(use, 3) != 0,
        };
    return result;
}

int replica_image_owner(struct connection *connection, const char *id, int64_t *owner)
{
    const struct replica_image image = {.id = id, .name = "", .record = ""};
    struct present present = {0};
    int result = find_present(connection, &image, &present);

    *owner = present.owner;
    return result;
}

static int add_image(struct connection *connection, const struct replica_image *image, int64_t now,
                     int64_t *row)
{
    int result =
        statement_run(connection, STATEMENT_REPLICA_IMAGE_ADD, "ittiiiti", image->owner, image->id,
                      image->name, (int64_t)image->status, (int64_t)image->released,
                      (int64_t)image->snapshots, image->record, now);

    if (result < 0)
        return result;
    *row = sqlite3_last_insert_rowid(connection->db);
    result =
        statement_run(connection, STATEMENT_REPLICA_OWNED, "iii", image->owner, (int64_t)1, now);
    return result < 0 ? result : 1;
}

int replica_put_image(struct connection *connection, const struct replica_image *image, int64_t now,
                      int64_t *row)
{
    struct present present = {0};
    int result = find_present(connection, image, &present);

    if (result == 1 && present.owner != image->owner) {
        /* The same id with another owner is another thing: inode numbers must not pass over. */
        result = replica_remove_image(connection, present.row, now);
        if (result < 0)
            return result;
    } else if (result == 1) {
        *row = present.row;
        if (present.same)
            return 0;
        result = statement_run(connection, STATEMENT_REPLICA_IMAGE_SET, "itiiiti", present.row,
                               image->name, (int64_t)image->status, (int64_t)image->released,
                               (int64_t)image->snapshots, image->record, now);
        if (result == 0 && !present.same_name)
            result = statement_run(connection, STATEMENT_REPLICA_NAMES, "ii", image->owner, now);
        if (result == 0)
            result = feed_add(connection, now, 0, FEED_IMPORTED, *row, *row, NULL);
        return result < 0 ? result : 1;
    }
    if (result < 0)
        return result;
    result = add_image(connection, image, now, row);
    if (result == 1) {
        int told = feed_add(connection, now, 0, FEED_IMPORTED, *row, *row, NULL);
        result = told < 0 ? told : 1;
    }
    return result;
}

/* Some share of IMAGE: 1 with its row and pin, to be freed, or 0. */
static int first_share(struct connection *connection, int64_t image, int64_t *row, char **pin)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_SHARES);

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "ii", image, (int64_t)0);
    if (result == 0)
        result = statement_step(connection, use);
    if (result == 1) {
        *row = sqlite3_column_int64(use, 0);
        *pin = strdup(statement_text(use, 1)); /* whole: it may be longer than a name */
        if (!*pin)
            result = -ENOMEM;
    }
    return result;
}

int replica_remove_image(struct connection *connection, int64_t row, int64_t now)
{
    struct write_image image = {0};
    int64_t share = 0;
    int result = write_image(connection, row, &image);

    while (result == 0) {
        CLEANUP_FREE char *pin = NULL;
        result = first_share(connection, row, &share, &pin);
        if (result != 1)
            break;
        result = write_cancel(connection, share, row, image.owner, pin, now);
        if (result == 0)
            result = feed_add(connection, now, 0, FEED_CANCELLED, row, row, pin);
    }
    if (result == 0)
        result = statement_run(connection, STATEMENT_REPLICA_JOURNAL_DROP, "i", row);
    if (result == 0)
        result = statement_run(connection, STATEMENT_REPLICA_REFUSAL_DROP, "i", row);
    if (result == 0)
        result = statement_run(connection, STATEMENT_REPLICA_IMAGE_REMOVE, "i", row);
    if (result == 0)
        result = statement_run(connection, STATEMENT_REPLICA_OWNED, "iii", image.owner, (int64_t)-1,
                               now);
    if (result == 0)
        result = feed_add(connection, now, 0, FEED_REMOVED, row, row, image.id);
    return result;
}

/* Reads rows from USE, whose parameters are bound. */
static int take_rows(struct connection *connection, sqlite3_stmt *use, int limit, int64_t *rows)
{
    int count = 0;
    int result = 0;

    while (count < limit && (result = statement_step(connection, use)) == 1)
        rows[count++] = sqlite3_column_int64(use, 0);
    return result < 0 ? result : count;
}

int replica_images(struct connection *connection, int64_t owner, int64_t after, int limit,
                   int64_t *rows)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_IMAGES_PRIVATE);

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "ii", after, owner);
    return result < 0 ? result : take_rows(connection, use, limit, rows);
}

int replica_stale(struct connection *connection, int64_t owner, const char *after,
                  int64_t before_ns, int limit, struct replica_found *found)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_REPLICA_STALE);
    int count = 0;

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "itii", owner, after, before_ns, (int64_t)limit);
    while (result >= 0 && count < limit && (result = statement_step(connection, use)) == 1) {
        found[count].row = sqlite3_column_int64(use, 0);
        (void)snprintf(found[count++].id, VIEW_NAME_SIZE, "%s", statement_text(use, 1));
    }
    return result < 0 ? result : count;
}

int replica_received(struct connection *connection, const char *pin, int64_t after, int limit,
                     int64_t *rows)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_IMAGES_SHARED);

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "iit", after, (int64_t)0, pin);
    return result < 0 ? result : take_rows(connection, use, limit, rows);
}

int replica_share(struct connection *connection, int64_t row, int64_t owner, const char *pin,
                  int64_t writer, int64_t now)
{
    int64_t share = 0;
    int64_t created_ns = 0;
    int64_t account = 0;
    int result = write_find_share(connection, row, pin, &share, &created_ns);

    if (result != 0)
        return result < 0 ? result : 0;
    result = replica_account(connection, pin, now, &account);
    if (result == 0)
        result = write_share(connection, row, owner, pin, now, &share);
    if (result == 0)
        result = feed_add(connection, now, writer, FEED_SHARED, row, row, pin);
    return result < 0 ? result : 1;
}

int replica_cancel(struct connection *connection, int64_t row, int64_t owner, const char *pin,
                   int64_t writer, int64_t now)
{
    int64_t share = 0;
    int64_t created_ns = 0;
    int result = write_find_share(connection, row, pin, &share, &created_ns);

    if (result <= 0)
        return result;
    result = write_cancel(connection, share, row, owner, pin, now);
    if (result == 0)
        result = feed_add(connection, now, writer, FEED_CANCELLED, row, row, pin);
    return result < 0 ? result : 1;
}

int replica_confirm(struct connection *connection, int64_t row, int64_t now)
{
    return statement_run(connection, STATEMENT_REPLICA_CONFIRM, "ii", row, now);
}

int replica_set_limit(struct connection *connection, int64_t row, int64_t limit)
{
    return statement_run(connection, STATEMENT_REPLICA_LIMIT, "ii", row, limit);
}

int replica_shares(struct connection *connection, int64_t image, replica_visit_pin visit,
                   void *context)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_SHARES);

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "ii", image, (int64_t)0);
    while (result >= 0 && (result = statement_step(connection, use)) == 1) {
        result = visit(statement_text(use, 1), context);
        if (result != 0)
            return result;
    }
    return result;
}

int journal_add(struct connection *connection, int64_t image, const char *pin, bool cancel,
                int64_t now, int64_t *row)
{
    /* It takes the place of an equal one that was made. An opposite one stays until this one is made:
     * its time tells what a list can prove. */
    int result =
        statement_run(connection, STATEMENT_JOURNAL_FORGET, "iti", image, pin, (int64_t)cancel);

    if (result == 0)
        result = statement_run(connection, STATEMENT_JOURNAL_ADD, "itii", image, pin,
                               (int64_t)cancel, now);
    if (result == 0)
        *row = sqlite3_last_insert_rowid(connection->db);
    return result;
}

int journal_set(struct connection *connection, int64_t row, enum journal_state state, int64_t now)
{
    return statement_run(connection, STATEMENT_JOURNAL_SET, "iii", row, (int64_t)state, now);
}

int journal_made(struct connection *connection, int64_t row, int64_t now)
{
    int result = statement_run(connection, STATEMENT_JOURNAL_SUPERSEDE, "i", row);

    return result < 0 ? result : journal_set(connection, row, JOURNAL_DONE, now);
}

int journal_made_at(struct connection *connection, int64_t image, const char *pin, bool cancel,
                    int64_t *at_ns)
{
    *at_ns = 0;
    int result = statement_value(connection, STATEMENT_JOURNAL_MADE_AT, at_ns, "iti", image, pin,
                                 (int64_t)cancel);
    return result < 0 ? result : 0;
}

int journal_remove(struct connection *connection, int64_t row)
{
    return statement_run(connection, STATEMENT_JOURNAL_REMOVE, "i", row);
}

static void take_entry(sqlite3_stmt *use, struct journal_entry *out)
{
    out->row = sqlite3_column_int64(use, 0);
    out->image = sqlite3_column_int64(use, 1);
    out->cancel = sqlite3_column_int(use, 2) != 0;
    out->state = (enum journal_state)sqlite3_column_int(use, 3);
    out->at_ns = sqlite3_column_int64(use, 4);
    (void)snprintf(out->pin, sizeof(out->pin), "%s", statement_text(use, 5));
}

int journal_find(struct connection *connection, int64_t image, const char *pin,
                 struct journal_entry *out)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_JOURNAL_FIND);

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "it", image, pin);
    if (result == 0)
        result = statement_step(connection, use);
    if (result == 1)
        take_entry(use, out);
    return result;
}

int journal_read(struct connection *connection, int64_t image, int64_t after, int limit,
                 struct journal_entry *entries)
{
    CLEANUP_STATEMENT sqlite3_stmt *use =
        statement_use(connection, image ? STATEMENT_JOURNAL_OF_IMAGE : STATEMENT_JOURNAL);
    int count = 0;

    if (!use)
        return statement_error(connection);
    int result = image ? statement_bind(use, "ii", after, image) : statement_bind(use, "i", after);
    while (result >= 0 && count < limit && (result = statement_step(connection, use)) == 1)
        take_entry(use, &entries[count++]);
    return result < 0 ? result : count;
}

int journal_recover(struct connection *connection)
{
    return query_run(connection, "UPDATE journal SET state = ?1 WHERE state = ?2", "ii",
                     (int64_t)JOURNAL_UNKNOWN, (int64_t)JOURNAL_SENT);
}

int journal_count_unknown(struct connection *connection, int64_t *count)
{
    int result = statement_value(connection, STATEMENT_JOURNAL_UNKNOWN, count, "");

    return result < 0 ? result : 0;
}
