/* Opening a region: see jdcloud_state.h. */
#include "core/source/jdcloud_state.h"

#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/store/replica.h"

#include <errno.h>
#include <string.h>

static char *copy_of(const char *text)
{
    return text ? strdup(text) : NULL;
}

/* The region and the endpoint: as asked for, else as the profile has them. */
static int choose_region(struct jdcloud *cloud, const struct jdcloud_options *options,
                         struct buffer *error)
{
    const char *region = options->region[0] ? options->region : cloud->credentials.region;
    const char *endpoint = options->endpoint ? options->endpoint : cloud->credentials.endpoint;

    if (!region || !*region) {
        buffer_puts(error, "jdcloud: no region: write jdcloud:REGION (cn-north-1, cn-east-1, "
                           "cn-east-2, cn-south-1), or set region_id in the profile");
        return -EINVAL;
    }
    for (const char *at = region; *at; at++) {
        bool fine = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '-';
        if (!fine || at - region >= 64) {
            buffer_puts(error, "jdcloud:");
            text_escape(error, region);
            buffer_puts(error, ": a region is small letters, digits and dashes, as in cn-north-1");
            return -EINVAL;
        }
    }
    int result = endpoint ? client_check_endpoint(endpoint, error) : 0;
    if (result < 0)
        return result;
    cloud->region = copy_of(region);
    cloud->endpoint = copy_of(endpoint);
    return cloud->region && (cloud->endpoint || !endpoint) ? 0 : -ENOMEM;
}

static int open_client(struct jdcloud *cloud, const struct jdcloud_options *options,
                       struct buffer *error)
{
    const struct client_options wanted = {
        .credentials = &cloud->credentials,
        .region = cloud->region,
        .endpoint = cloud->endpoint,
        .ca_file = options->ca_file,
        .proxy = options->proxy,
        .no_proxy = options->no_proxy,
        .algorithm = options->jdcloud3 ? SIGN_JDCLOUD3 : SIGN_JDCLOUD2,
        .encode_token = !options->plain_token,
    };

    return client_new(&wanted, error, &cloud->client);
}

static int open_replica(struct jdcloud *cloud, const struct jdcloud_options *options,
                        struct store *store, bool *created, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(1 << 16);
    CLEANUP_BUFFER struct buffer source = BUFFER_INIT(1 << 12);
    const char *key = cloud->credentials.access_key;
    int result = jdcloud_place(options->state, cloud->region, cloud->endpoint, key, &path, error);

    if (result < 0)
        return result;
    buffer_printf(&source, "jdcloud:%s %s %s", cloud->region,
                  cloud->endpoint ? cloud->endpoint : "-", key);
    if (buffer_failed(&source))
        return -ENOMEM;
    return replica_open(buffer_text(&path), buffer_text(&source), store, created, error);
}

/* The pin: as the replica knows it, or the user, or the cloud. */
static int find_account(struct jdcloud *cloud, struct store *store, struct buffer *error)
{
    struct catalog *catalog = cloud->catalog;
    struct connection *connection = &store->connection;
    char known[VIEW_NAME_SIZE] = "";
    int result = replica_setting(connection, "pin", known);

    if (result < 0) {
        buffer_printf(error, "%s: %s", store->path, connection_message(connection, result));
        return -refusal_errno(result);
    }
    const char *wanted = catalog->options.account;
    if (known[0] && wanted && strcmp(known, wanted) != 0) {
        buffer_printf(error, "account=%s: the key is %s's", wanted, known);
        return -EINVAL;
    }
    if (!known[0] && wanted)
        (void)snprintf(known, sizeof(known), "%s", wanted);
    else if (!known[0])
        result = jdcloud_find_pin(cloud, known, error);
    if (result < 0)
        return result;
    if (store->mode == CONNECTION_READ_WRITE) {
        result = replica_account(connection, known, text_now(), &catalog->account);
        if (result == 0)
            result = replica_set(connection, "pin", known);
        if (result < 0)
            buffer_printf(error, "%s: %s", store->path, connection_message(connection, result));
    } else {
        return store_account(store, known, &catalog->account, catalog->pin, error);
    }
    (void)snprintf(catalog->pin, sizeof(catalog->pin), "%s", known);
    return -refusal_errno(result);
}

/* What the replica remembers of the lists, and of changes without an answer. */
static int recall(struct jdcloud *cloud, struct store *store, struct buffer *error)
{
    struct connection *connection = &store->connection;
    char value[VIEW_NAME_SIZE];
    int result = 0;

    for (int i = 0; i < 2 && result == 0; i++) {
        result = replica_setting(connection, replica_list_setting(i == 1), value);
        if (result == 0)
            cloud->lists[i].confirmed_ns = strtoll(value, NULL, 10);
    }
    if (result == 0)
        result = journal_count_unknown(connection, &cloud->unknown);
    if (result < 0)
        buffer_printf(error, "%s: %s", store->path, connection_message(connection, result));
    return -refusal_errno(result);
}

static void init_clocks(struct jdcloud *cloud)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&cloud->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&cloud->mutex, NULL);
}

int jdcloud_open(struct catalog *catalog, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer unheard = BUFFER_INIT(4096);
    const struct jdcloud_options *options = catalog->options.cloud;
    struct buffer *warnings = catalog->options.warnings ? catalog->options.warnings : &unheard;
    struct store *store = &catalog->store;
    struct jdcloud *cloud = calloc(1, sizeof(*cloud));
    bool created = false;

    if (!cloud)
        return -ENOMEM;
    cloud->catalog = catalog;
    store->lock_fd = -1;
    cloud->refresh_ms = options->refresh_s * 1000;
    cloud->maxage_ms = options->maxage_s * 1000;
    cloud->timeout_ms = options->timeout_s * 1000;
    cloud->last_job = &cloud->jobs;
    for (int i = 0; i < 2; i++)
        cloud->lists[i] = (struct listing){.cloud = cloud, .received = i == 1};
    init_clocks(cloud);
    catalog->source =
        (struct source){.ops = jdcloud_table(), .catalog = catalog, .remote = true, .state = cloud};
    int result = credentials_read(options->profile, warnings, error, &cloud->credentials);
    if (result == 0)
        result = choose_region(cloud, options, error);
    if (result == 0)
        result = open_replica(cloud, options, store, &created, error);
    if (result == 0)
        result = open_client(cloud, options, error);
    if (result == 0)
        result = find_account(cloud, store, error);
    if (result == 0)
        result = recall(cloud, store, error);
    if (result == 0 && store->mode != CONNECTION_READ_WRITE) {
        cloud->away = -REFUSAL_READ_ONLY; /* for good: no answer could be written down */
        cloud->away_ns = text_now();
    }
    if (result < 0) {
        if (cloud->client)
            client_stop(cloud->client);
        jdcloud_free(&catalog->source);
        if (created)
            replica_discard(store);
        else
            store_close(store);
        catalog->source = (struct source){.catalog = catalog};
    }
    return result;
}

int jdcloud_start(struct source *source)
{
    struct jdcloud *cloud = jdcloud_of(source);
    int error = pthread_create(&cloud->keeper, NULL, jdcloud_keep, cloud);

    cloud->keeper_runs = error == 0;
    return -error;
}

void jdcloud_free(struct source *source)
{
    struct jdcloud *cloud = jdcloud_of(source);

    if (!cloud)
        return;
    client_free(cloud->client);
    for (size_t i = 0; i < IMAGE_BUCKETS; i++) {
        while (cloud->images[i]) {
            struct image_state *image = cloud->images[i];
            cloud->images[i] = image->chain;
            call_dispose(&image->call);
            call_dispose(&image->record_call);
            call_dispose(&image->quota_call);
            free(image);
        }
    }
    for (int i = 0; i < 2; i++)
        names_dispose(&cloud->lists[i].unlistable.names);
    jdcloud_forget_unsettled(cloud);
    credentials_dispose(&cloud->credentials);
    free(cloud->region);
    free(cloud->endpoint);
    (void)pthread_cond_destroy(&cloud->wake);
    (void)pthread_mutex_destroy(&cloud->mutex);
    free(cloud);
    source->state = NULL;
}
