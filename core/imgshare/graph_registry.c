/* The graph of a registry: see graph_read.h. */
#include "core/imgshare/graph_read.h"

#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/store/account.h"
#include "core/store/replica.h"
#include "core/store/transaction.h"

#include <errno.h>
#include <string.h>

struct registry_reader {
    struct graph *graph;
    struct store store;
    struct names accounts;
    struct view view; /* of the account whose images are read */
    int64_t *rows;    /* of the accounts */
    bool replica;
    char self[VIEW_NAME_SIZE]; /* of a replica: its account, */
    int64_t received_ns;       /* and when the images of others were listed */
    int64_t limit;
    enum snapshot_policy policy;
    int64_t now_ns;
    int result; /* of a visit that failed */
};

static int take_account(const struct account_entry *entry, void *context)
{
    struct registry_reader *reader = context;
    size_t count = reader->accounts.count + 1;
    int64_t *rows = realloc(reader->rows, count * sizeof(*rows));

    if (!rows)
        return -ENOMEM;
    reader->rows = rows;
    rows[count - 1] = entry->row;
    int result = graph_add_account(reader->graph, entry->pin);
    return result < 0 ? result : names_add(&reader->accounts, entry->pin);
}

static int take_pin(const struct view_entry *entry, void *context)
{
    struct names *pins = context;

    return names_add(pins, entry->name);
}

static bool is_stale(const struct registry_reader *reader, const struct view_record *record)
{
    int64_t at_ns =
        strcmp(record->owner, reader->self) == 0 ? record->confirmed_ns : reader->received_ns;

    return reader->replica && reader->now_ns - at_ns > GRAPH_STALE_S * 1000000000LL;
}

/* What sharing the image with one more gives. */
static const char *obstacle_of(const struct registry_reader *reader,
                               const struct view_record *record)
{
    const struct rules_image rules = {
        .owned = true,
        .status = record->status,
        .released = record->released,
        .snapshots = record->snapshots,
        .policy = reader->replica ? SNAPSHOTS_ENCRYPTED : reader->policy,
        .shares = record->shares,
        .limit = !reader->replica    ? reader->limit
                 : record->limit > 0 ? record->limit
                                     : INT64_MAX,
    };
    const struct refusal_row *row = refusal_of(rules_image(&rules));

    return row ? row->error_name : "";
}

static int take_record(struct registry_reader *reader, const struct view_record *record)
{
    CLEANUP_REFUSAL struct view_refusal refusal = {0};
    CLEANUP_NAMES struct names pins = {0};
    int result = view_refusal(&reader->view, record->row, &refusal);

    if (result < 0 && result != -ENOENT)
        return result;
    result = view_shares(&reader->view, record->row, 0, take_pin, &pins);
    if (result < 0)
        return result;
    if ((int64_t)pins.count < record->shares) /* the visit has ended early */
        return -ENOMEM;
    names_sort(&pins);
    const struct refusal_row *row = refusal.name && strcmp(refusal.action, "share") == 0
                                        ? refusal_find_code(refusal.code)
                                        : NULL;
    const struct graph_image image = {
        .owner = record->owner,
        .id = record->id,
        .name = record->name,
        .status = rules_status_name(record->status),
        .obstacle = obstacle_of(reader, record),
        .everyone = record->released,
        .stale = is_stale(reader, record),
        .pins = &pins,
        .refused = row ? refusal.name : "",
        .refused_error = row ? row->error_name : "",
    };
    return graph_add(reader->graph, &image);
}

static int take_image(const struct view_entry *entry, void *context)
{
    struct registry_reader *reader = context;
    CLEANUP_RECORD struct view_record record = {0};

    reader->result = view_record(&reader->view, entry->row, &record);
    if (reader->result == 0)
        reader->result = take_record(reader, &record);
    return reader->result;
}

/* Everything, as of one moment. */
static int read_all(struct registry_reader *reader)
{
    char source[VIEW_NAME_SIZE] = "";
    char received[VIEW_NAME_SIZE] = "";
    int result = replica_setting(&reader->view.connection, "source", source);

    if (result == 0)
        result = replica_setting(&reader->view.connection, "pin", reader->self);
    if (result == 0)
        result = replica_setting(&reader->view.connection, "shared_confirmed", received);
    reader->replica = source[0] != '\0';
    reader->received_ns = strtoll(received, NULL, 10);
    if (result == 0)
        result = connection_settings(&reader->view.connection, &reader->limit, &reader->policy);
    for (size_t i = 0; result == 0 && i < reader->accounts.count; i++) {
        reader->view.account = reader->rows[i];
        (void)snprintf(reader->view.pin, sizeof(reader->view.pin), "%s", reader->accounts.items[i]);
        result = view_images(&reader->view, VIEW_PRIVATE, 0, take_image, reader);
        if (result == 0)
            result = reader->result;
    }
    return result;
}

int graph_read_registry(struct graph *graph, const char *path, struct buffer *error)
{
    struct registry_reader reader = {.graph = graph, .now_ns = text_now()};
    int result = store_open_any(path, &reader.store, error);

    if (result < 0)
        return result;
    result = account_list(&reader.store, take_account, &reader, error);
    if (result == 0)
        result = view_open(&reader.view, path, reader.store.mode, 0, "", error);
    if (result == 0) {
        struct connection *connection = &reader.view.connection;
        result = snapshot_begin(connection);
        if (result == 0)
            result = read_all(&reader);
        snapshot_end(connection);
        if (result < 0 && error->length == 0)
            result = store_explain(&reader.store, connection, result, error);
        view_close(&reader.view);
    }
    if (result < 0 && error->length == 0)
        buffer_puts(error, strerrordesc_np(-result));
    store_close(&reader.store);
    names_dispose(&reader.accounts);
    free(reader.rows);
    return result;
}
