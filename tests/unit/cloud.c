/* The client and calls of it: see the header. */
#include "tests/unit/cloud.h"

#include "core/base/container.h"

#include <string.h>

static char cloud_access_key[] = "AKEXAMPLE";
static char cloud_secret_key[] = "SKEXAMPLE";
struct credentials cloud_credentials = {.access_key = cloud_access_key,
                                        .secret_key = cloud_secret_key};

static void open_client(struct cloud *cloud, struct cloud_server *server,
                        struct client_options options)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(1024);

    memset(cloud, 0, sizeof(*cloud));
    cloud->server = server;
    options.credentials = &cloud_credentials;
    options.region = "cn-north-1";
    if (!options.endpoint)
        options.endpoint = cloud_server_endpoint(cloud->server);
    if (!options.algorithm)
        options.algorithm = SIGN_JDCLOUD3;
    if (client_new(&options, &error, &cloud->client) < 0)
        fail_msg("no client: %s", buffer_text(&error));
}

void cloud_open_with(struct cloud *cloud, const struct cloud_answer *script, size_t count,
                     struct client_options options)
{
    open_client(cloud, cloud_server_new(script, count), options);
}

void cloud_open(struct cloud *cloud, const struct cloud_answer *script, size_t count)
{
    cloud_open_to(cloud, cloud_server_new(script, count));
}

void cloud_open_to(struct cloud *cloud, struct cloud_server *server)
{
    open_client(cloud, server, (struct client_options){.connections = 0});
}

void cloud_stop(struct cloud *cloud)
{
    client_stop(cloud->client);
    cloud->stopped = true;
}

void cloud_close(struct cloud *cloud)
{
    if (!cloud->stopped)
        client_stop(cloud->client);
    client_free(cloud->client);
    cloud_server_free(cloud->server);
}

static int count_pin(const char *pin, void *context)
{
    (void)pin;
    (*(int *)context)++;
    return 0;
}

struct ask *ask_of(struct call *call)
{
    return CONTAINER_OF(call, struct ask, call);
}

static void ask_done(struct call *call, const struct reply *reply)
{
    struct ask *ask = ask_of(call);

    ask->reply = *reply;
    (void)snprintf(ask->message, sizeof(ask->message), "%s", reply->message);
    (void)snprintf(ask->request_id, sizeof(ask->request_id), "%s", reply->request_id);
    if (reply->body)
        assert_done(api_read_members(reply->body, count_pin, &ask->pins));
    ask->took_ms = clock_ms() - ask->began_ms;
    ask->times_done++;
    (void)sem_post(&ask->ended);
}

void ask_submit(struct cloud *cloud, struct ask *ask, int64_t within_ms)
{
    ask->began_ms = clock_ms();
    ask->call.deadline_ms = ask->began_ms + within_ms;
    ask->call.done = ask_done;
    client_submit(cloud->client, &ask->call);
}

void ask_begin(struct ask *ask)
{
    memset(ask, 0, sizeof(*ask));
    assert_int_equal(sem_init(&ask->ended, 0, 0), 0);
}

void question_submit(struct cloud *cloud, struct ask *ask, enum call_priority priority,
                     int64_t within_ms)
{
    ask_begin(ask);
    assert_done(api_members(&ask->call, "cn-north-1", "img-1"));
    ask->call.priority = priority;
    ask_submit(cloud, ask, within_ms);
}

void share_submit(struct cloud *cloud, struct ask *ask, int64_t within_ms)
{
    ask_begin(ask);
    assert_done(api_share(&ask->call, "cn-north-1", "img-1", "alice"));
    ask_submit(cloud, ask, within_ms);
}

int ask_wait(struct ask *ask)
{
    semaphore_wait(&ask->ended);
    assert_int_equal(ask->times_done, 1);
    (void)sem_destroy(&ask->ended);
    call_dispose(&ask->call);
    return ask->reply.result;
}

int question(struct cloud *cloud, struct ask *ask, int64_t within_ms)
{
    question_submit(cloud, ask, CALL_SOON, within_ms);
    return ask_wait(ask);
}

int share(struct cloud *cloud, struct ask *ask, int64_t within_ms)
{
    share_submit(cloud, ask, within_ms);
    return ask_wait(ask);
}
