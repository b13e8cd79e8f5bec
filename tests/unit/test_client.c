/* The client of the cloud: what it sends, who goes first, and how calls end. */
#include "tests/unit/cloud.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

/* --- what is sent, and what comes --- */

#define BUSY FAULT("409", "ABORTED", "The image 'x' is busy")

static void a_question_is_answered_with_its_result(void **state)
{
    static const struct cloud_answer script[] = {{.body = RESULT}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_done(question(&cloud, &ask, LONG_MS));
    assert_int_equal(ask.pins, 2);
    assert_int_equal(ask.reply.status, 200);
    assert_true(ask.reply.answered);
    assert_string_equal(ask.request_id, "req-1");
    assert_string_equal(ask.message, "");
    assert_holds(cloud_server_request(cloud.server, 0),
                 "GET /v1/regions/cn-north-1/images/img-1/members HTTP/1.1\r\n");
    cloud_close(&cloud);
}

static atomic_bool asleep;

CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd fds[], unsigned count, int timeout,
                          int *ready)
{
    typeof(&curl_multi_poll) next = (typeof(next))dlsym(RTLD_NEXT, "curl_multi_poll");

    atomic_store(&asleep, true);
    CURLMcode code = next(multi, fds, count, timeout, ready);
    atomic_store(&asleep, false);
    return code;
}

/* Of libcurl's wakes so many fail. */
static atomic_int wakes_lost;

CURLMcode curl_multi_wakeup(CURLM *multi)
{
    typeof(&curl_multi_wakeup) next = (typeof(next))dlsym(RTLD_NEXT, "curl_multi_wakeup");

    return atomic_fetch_sub(&wakes_lost, 1) > 0 ? CURLM_WAKEUP_FAILURE : next(multi);
}

static void a_wake_that_fails_keeps_nobody_waiting(void **state)
{
    static const struct cloud_answer script[] = {{.body = RESULT}, {.body = RESULT}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_done(question(&cloud, &ask, LONG_MS));
    while (!atomic_load(&asleep))
        (void)sched_yield();
    atomic_store(&wakes_lost, 1);
    assert_done(question(&cloud, &ask, LONG_MS));
    cloud_close(&cloud);
}

static void a_client_that_nobody_can_wake_is_not_started(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(512);
    const struct client_options options = {.credentials = &cloud_credentials,
                                           .region = "cn-north-1"};
    struct client *client = NULL;

    (void)state;
    atomic_store(&wakes_lost, 100);
    assert_int_equal(client_new(&options, &error, &client), -ENOMEM);
    atomic_store(&wakes_lost, 0);
    assert_holds(buffer_text(&error), "cannot be started");
}

/* What the service would compute from what it gets. */
static void assert_signed(struct cloud *cloud, int number, enum sign_algorithm algorithm,
                          const char *sent_token)
{
    CLEANUP_BUFFER struct buffer expected = BUFFER_INIT(4096);
    char nonce[64];
    char date[32];
    char host[64];
    const char *body = strstr(cloud_server_request(cloud->server, number), "\r\n\r\n") + 4;
    const struct sign_header headers[] = {{"host", host},
                                          {"content-type", "application/json"},
                                          {"x-jdcloud-date", date},
                                          {"x-jdcloud-nonce", nonce},
                                          {"x-jdcloud-security-token", sent_token}};
    const struct sign_request request = {
        .algorithm = algorithm,
        .method = "POST",
        .path = "/v1/regions/cn-north-1/images/img-1:share",
        .query = "",
        .payload = body,
        .payload_length = strlen(body),
        .headers = headers,
        .header_count = sent_token ? 5 : 4,
        .date = date,
        .region = "cn-north-1",
        .service = "vm",
        .access_key = cloud_credentials.access_key,
        .secret_key = cloud_credentials.secret_key,
    };

    (void)snprintf(host, sizeof(host), "%s", cloud_server_header(cloud->server, number, "Host"));
    (void)snprintf(date, sizeof(date), "%s",
                   cloud_server_header(cloud->server, number, "x-jdcloud-date"));
    (void)snprintf(nonce, sizeof(nonce), "%s",
                   cloud_server_header(cloud->server, number, "x-jdcloud-nonce"));
    assert_int_equal(strlen(nonce), 36);
    assert_string_equal(host, cloud_server_endpoint(cloud->server) + strlen("http://"));
    assert_done(sign_authorization(&request, &expected));
    assert_string_equal(cloud_server_header(cloud->server, number, "Authorization"),
                        buffer_text(&expected));
}

static void a_change_is_signed_by_what_is_sent(void **state)
{
    static const struct cloud_answer script[] = {{.body = SHARED}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_done(share(&cloud, &ask, LONG_MS));
    assert_holds(cloud_server_request(cloud.server, 0), "\r\n\r\n{\"pins\":[\"alice\"]}");
    assert_holds(cloud_server_request(cloud.server, 0), "User-Agent: imgsharefs/");
    assert_signed(&cloud, 0, SIGN_JDCLOUD3, NULL);
    cloud_close(&cloud);
}

static void the_token_of_a_temporary_key_is_sent_and_signed(void **state)
{
    static const struct cloud_answer script[] = {{.body = SHARED}};
    static const char *const sent[] = {"tok", "dG9r"};
    char token[] = "tok";
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_credentials.token = token;
    for (int encoded = 0; encoded < 2; encoded++) {
        cloud_open_with(
            &cloud, script, COUNT_OF(script),
            (struct client_options){.algorithm = SIGN_JDCLOUD2, .encode_token = encoded});
        assert_done(share(&cloud, &ask, LONG_MS));
        assert_string_equal(cloud_server_header(cloud.server, 0, "x-jdcloud-security-token"),
                            sent[encoded]);
        assert_signed(&cloud, 0, SIGN_JDCLOUD2, sent[encoded]);
        cloud_close(&cloud);
    }
    cloud_credentials.token = NULL;
}

static void connections_are_kept(void **state)
{
    static const struct cloud_answer script[] = {{.body = RESULT}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    for (int i = 0; i < 5; i++)
        assert_done(question(&cloud, &ask, LONG_MS));
    assert_int_equal(cloud_server_requests(cloud.server), 5);
    assert_int_equal(cloud_server_connections(cloud.server), 1);
    cloud_close(&cloud);
}

static void many_calls_share_a_bounded_number_of_connections(void **state)
{
    static const struct cloud_answer script[] = {{.body = RESULT, .way = CLOUD_HANG}};
    static struct ask asks[12];
    struct cloud cloud;

    (void)state;
    cloud_open_with(&cloud, script, COUNT_OF(script), (struct client_options){.connections = 4});
    for (size_t i = 0; i < COUNT_OF(asks); i++)
        question_submit(&cloud, &asks[i], CALL_FIRST, LONG_MS);
    cloud_server_wait(cloud.server, 4);
    cloud_server_release(cloud.server);
    for (size_t i = 0; i < COUNT_OF(asks); i++)
        assert_done(ask_wait(&asks[i]));
    assert_int_equal(cloud_server_requests(cloud.server), 12);
    assert_int_equal(cloud_server_connections(cloud.server), 4);
    cloud_close(&cloud);
}

/* --- who goes first --- */

static void background_leaves_half_of_the_connections_and_waits_for_others(void **state)
{
    static const struct cloud_answer script[] = {{.body = RESULT, .way = CLOUD_HANG}};
    static struct ask background[6];
    struct cloud cloud;
    struct ask first;

    (void)state;
    cloud_open_with(&cloud, script, COUNT_OF(script), (struct client_options){.connections = 4});
    for (size_t i = 0; i < COUNT_OF(background); i++)
        question_submit(&cloud, &background[i], CALL_BACKGROUND, LONG_MS);
    cloud_server_wait(cloud.server, 2);
    question_submit(&cloud, &first, CALL_FIRST, LONG_MS);
    cloud_server_wait(cloud.server, 3);
    assert_int_equal(cloud_server_requests(cloud.server), 3);
    cloud_server_release(cloud.server);
    assert_done(ask_wait(&first));
    for (size_t i = 0; i < COUNT_OF(background); i++)
        assert_done(ask_wait(&background[i]));
    cloud_close(&cloud);
}

static void background_that_somebody_waits_for_by_now_goes_as_others_do(void **state)
{
    static const struct cloud_answer script[] = {{.body = RESULT, .way = CLOUD_HANG}};
    static struct ask background[6];
    struct cloud cloud;

    (void)state;
    cloud_open_with(&cloud, script, COUNT_OF(script), (struct client_options){.connections = 4});
    for (size_t i = 0; i < COUNT_OF(background); i++)
        question_submit(&cloud, &background[i], CALL_BACKGROUND, LONG_MS);
    cloud_server_wait(cloud.server, 2);
    client_raise(cloud.client, &background[5].call, CALL_SOON); /* which waits: it goes */
    cloud_server_wait(cloud.server, 3);
    client_raise(cloud.client, &background[0].call, CALL_FIRST); /* which has gone: it makes room */
    cloud_server_wait(cloud.server, 4);
    cloud_server_release(cloud.server);
    for (size_t i = 0; i < COUNT_OF(background); i++)
        assert_done(ask_wait(&background[i]));
    client_raise(cloud.client, &background[5].call, CALL_FIRST); /* too late: nothing happens */
    assert_int_equal(cloud_server_requests(cloud.server), 6);
    cloud_close(&cloud);
}

static void background_has_half_of_the_advertised_limit(void **state)
{
    static const struct cloud_answer script[] = {
        {.body = RESULT,
         .headers = MINUTE "x-jdcloud-limit-minute: 10\r\nx-jdcloud-remaining-minute: 5\r\n"},
        {.body = RESULT,
         .headers = MINUTE "x-jdcloud-limit-minute: 10\r\nx-jdcloud-remaining-minute: 4\r\n"}};
    struct client_state measured;
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_done(question(&cloud, &ask, LONG_MS));
    question_submit(&cloud, &ask, CALL_BACKGROUND, SHORT_MS);
    assert_refused(ask_wait(&ask), "service-rate");
    assert_false(ask.reply.answered);
    assert_done(question(&cloud, &ask, LONG_MS));
    client_read_state(cloud.client, &measured);
    assert_int_equal(measured.requests, 2);
    assert_int_equal(measured.limit, 10);
    assert_int_equal(measured.remaining, 4);
    cloud_close(&cloud);
}

static void after_a_rate_answer_nothing_is_asked_until_the_minute_ends(void **state)
{
    static const struct cloud_answer script[] = {
        {.status = 429,
         .headers = MINUTE,
         .body = FAULT("429", "HTTP_RATE_LIMIT_EXCEEDED", "minute rate limit exceeded, role:ak")}};
    struct client_state measured;
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_refused(share(&cloud, &ask, LONG_MS), "service-rate");
    assert_true(ask.reply.answered);
    assert_false(ask.reply.unknown);
    assert_in_range(ask.took_ms, 0, 1000);
    assert_holds(ask.message, "minute rate limit exceeded");
    assert_refused(share(&cloud, &ask, LONG_MS), "service-rate");
    assert_false(ask.reply.answered);
    assert_in_range(ask.took_ms, 0, 1000);
    assert_int_equal(cloud_server_requests(cloud.server), 1);
    client_read_state(cloud.client, &measured);
    assert_int_equal(measured.remaining, 0);
    cloud_close(&cloud);
}

/* --- deadline, cancel, stop --- */

static void a_deadline_ends_a_call_that_is_not_answered(void **state)
{
    static const struct cloud_answer script[] = {{.body = SHARED, .way = CLOUD_HANG}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, 1);
    assert_refused(share(&cloud, &ask, SHORT_MS), "service-timeout");
    assert_true(ask.reply.unknown);
    assert_in_range(ask.took_ms, SHORT_MS - 10, SHORT_MS + 1000);
    assert_refused(question(&cloud, &ask, SHORT_MS), "service-timeout");
    assert_false(ask.reply.unknown);
    cloud_close(&cloud);
}

static void a_deadline_ends_a_call_that_waits_for_a_connection(void **state)
{
    static const struct cloud_answer script[] = {{.body = SHARED, .way = CLOUD_HANG}};
    struct cloud cloud;
    struct ask first;
    struct ask second;

    (void)state;
    cloud_open_with(&cloud, script, 1, (struct client_options){.connections = 1});
    share_submit(&cloud, &first, LONG_MS);
    cloud_server_wait(cloud.server, 1);
    assert_refused(share(&cloud, &second, SHORT_MS), "service-timeout");
    assert_false(second.reply.unknown);
    cloud_server_release(cloud.server);
    assert_done(ask_wait(&first));
    cloud_close(&cloud);
}

static void a_wait_that_would_end_after_the_deadline_is_not_begun(void **state)
{
    static const struct cloud_answer script[] = {{.status = 409, .body = BUSY}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, 1);
    assert_refused(share(&cloud, &ask, 90), "service-busy");
    assert_false(ask.reply.unknown);
    assert_int_equal(cloud_server_requests(cloud.server), 1);
    cloud_close(&cloud);
}

/* A client with one connection, on which SENT hangs; WAITING waits for it. */
static void open_hanging(struct cloud *cloud, struct ask *sent, struct ask *waiting)
{
    static const struct cloud_answer script[] = {{.body = SHARED, .way = CLOUD_HANG}};

    cloud_open_with(cloud, script, 1, (struct client_options){.connections = 1});
    share_submit(cloud, sent, LONG_MS);
    cloud_server_wait(cloud->server, 1);
    share_submit(cloud, waiting, LONG_MS);
}

static void a_cancelled_call_ends_whether_it_was_sent_or_not(void **state)
{
    struct cloud cloud;
    struct ask sent;
    struct ask waiting;

    (void)state;
    open_hanging(&cloud, &sent, &waiting);
    client_cancel(cloud.client, &waiting.call);
    assert_refused(ask_wait(&waiting), "interrupted");
    assert_false(waiting.reply.unknown);
    client_cancel(cloud.client, &sent.call);
    assert_refused(ask_wait(&sent), "interrupted");
    assert_true(sent.reply.unknown);
    assert_in_range(sent.took_ms, 0, 1500);
    cloud_close(&cloud);
}

static void a_recalled_call_ends_unless_it_was_sent(void **state)
{
    struct cloud cloud;
    struct ask sent;
    struct ask waiting;

    (void)state;
    open_hanging(&cloud, &sent, &waiting);
    client_recall(cloud.client, &sent.call);
    client_recall(cloud.client, &waiting.call);
    assert_refused(ask_wait(&waiting), "interrupted");
    assert_false(waiting.reply.unknown);
    cloud_server_release(cloud.server);
    assert_done(ask_wait(&sent));
    assert_int_equal(cloud_server_requests(cloud.server), 1);
    cloud_close(&cloud);
}

static void a_recalled_call_is_not_sent_again(void **state)
{
    static const struct cloud_answer script[] = {
        {.status = 409, .body = BUSY, .way = CLOUD_HANG},
        {.body = SHARED},
    };
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, 2);
    share_submit(&cloud, &ask, LONG_MS);
    cloud_server_wait(cloud.server, 1);
    client_recall(cloud.client, &ask.call);
    cloud_server_release(cloud.server);
    assert_refused(ask_wait(&ask), "service-busy");
    assert_false(ask.reply.unknown);
    assert_int_equal(cloud_server_requests(cloud.server), 1);
    cloud_close(&cloud);
}

/* A socket that listens, and whose queue of connections is full: more are not refused, they wait.
 */
static void open_full(int *listening, int *filling, char endpoint[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *filling = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(*listening >= 0 && *filling >= 0);
    assert_int_equal(bind(*listening, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(*listening, 0), 0);
    assert_int_equal(getsockname(*listening, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(connect(*filling, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)snprintf(endpoint, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
}

static void what_never_got_a_connection_was_not_sent(void **state)
{
    static const struct cloud_answer script[] = {{.body = SHARED}};
    CLEANUP_CLOSE int listening = -1;
    CLEANUP_CLOSE int filling = -1;
    struct cloud cloud;
    struct ask late;
    struct ask cancelled;
    char endpoint[64];

    (void)state;
    open_full(&listening, &filling, endpoint);
    cloud_open_with(&cloud, script, 1, (struct client_options){.endpoint = endpoint});
    share_submit(&cloud, &cancelled, LONG_MS);
    assert_refused(share(&cloud, &late, SHORT_MS), "service-timeout");
    assert_false(late.reply.unknown);
    client_cancel(cloud.client, &cancelled.call);
    assert_refused(ask_wait(&cancelled), "interrupted");
    assert_false(cancelled.reply.unknown);
    cloud_close(&cloud);
}

static void a_stop_ends_all_calls_and_those_that_follow(void **state)
{
    static const struct cloud_answer script[] = {{.body = SHARED, .way = CLOUD_HANG}};
    struct cloud cloud;
    struct ask asks[3];

    (void)state;
    cloud_open_with(&cloud, script, 1, (struct client_options){.connections = 1});
    share_submit(&cloud, &asks[0], LONG_MS);
    cloud_server_wait(cloud.server, 1);
    question_submit(&cloud, &asks[1], CALL_BACKGROUND, LONG_MS);
    int64_t began_ms = clock_ms();
    cloud_stop(&cloud);
    assert_in_range(clock_ms() - began_ms, 0, 1000);
    for (int i = 0; i < 2; i++)
        assert_int_equal(asks[i].times_done, 1); /* before the stop has returned */
    assert_refused(ask_wait(&asks[0]), "interrupted");
    assert_true(asks[0].reply.unknown);
    assert_refused(ask_wait(&asks[1]), "interrupted");
    assert_refused(share(&cloud, &asks[2], LONG_MS), "interrupted");
    assert_false(asks[2].reply.unknown);
    cloud_close(&cloud);
}

/* --- many at once --- */

static struct cloud *again_cloud;

static void submit_again(struct call *call, const struct reply *reply)
{
    struct ask *ask = ask_of(call);

    assert_done(reply->result);
    if (++ask->pins < 5) {
        client_submit(again_cloud->client, call);
        return;
    }
    ask->times_done++;
    (void)sem_post(&ask->ended);
}

static void a_call_may_be_submitted_again_at_its_end(void **state)
{
    static const struct cloud_answer script[] = {{.body = SHARED}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, 1);
    again_cloud = &cloud;
    ask_begin(&ask);
    assert_done(api_unshare(&ask.call, "cn-north-1", "img-1", "alice"));
    ask.call.deadline_ms = clock_ms() + LONG_MS;
    ask.call.done = submit_again;
    client_submit(cloud.client, &ask.call);
    assert_done(ask_wait(&ask));
    assert_int_equal(cloud_server_requests(cloud.server), 5);
    cloud_close(&cloud);
}

#define THREADS 4
#define CALLS 25 /* a thread */

static void *ask_many(void *context)
{
    struct cloud *cloud = context;
    struct ask asks[CALLS];

    for (int i = 0; i < CALLS; i++) {
        question_submit(cloud, &asks[i], i % 3 == 0 ? CALL_FIRST : CALL_SOON, LONG_MS);
        if (i % 5 == 0)
            client_cancel(cloud->client, &asks[i].call);
    }
    for (int i = 0; i < CALLS; i++) {
        int result = ask_wait(&asks[i]);
        if (result != 0 && (i % 5 != 0 || result != -REFUSAL_INTERRUPTED))
            return context;
    }
    return NULL;
}

static void calls_of_many_threads_each_end_once(void **state)
{
    static const struct cloud_answer script[] = {{.body = RESULT}};
    pthread_t threads[THREADS];
    struct cloud cloud;

    (void)state;
    cloud_open(&cloud, script, 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, &cloud), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    cloud_close(&cloud);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_answered_with_its_result),
        cmocka_unit_test(a_wake_that_fails_keeps_nobody_waiting),
        cmocka_unit_test(a_client_that_nobody_can_wake_is_not_started),
        cmocka_unit_test(a_change_is_signed_by_what_is_sent),
        cmocka_unit_test(the_token_of_a_temporary_key_is_sent_and_signed),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(many_calls_share_a_bounded_number_of_connections),
        cmocka_unit_test(background_leaves_half_of_the_connections_and_waits_for_others),
        cmocka_unit_test(background_that_somebody_waits_for_by_now_goes_as_others_do),
        cmocka_unit_test(background_has_half_of_the_advertised_limit),
        cmocka_unit_test(after_a_rate_answer_nothing_is_asked_until_the_minute_ends),
        cmocka_unit_test(a_deadline_ends_a_call_that_is_not_answered),
        cmocka_unit_test(a_deadline_ends_a_call_that_waits_for_a_connection),
        cmocka_unit_test(a_wait_that_would_end_after_the_deadline_is_not_begun),
        cmocka_unit_test(a_cancelled_call_ends_whether_it_was_sent_or_not),
        cmocka_unit_test(a_recalled_call_ends_unless_it_was_sent),
        cmocka_unit_test(a_recalled_call_is_not_sent_again),
        cmocka_unit_test(what_never_got_a_connection_was_not_sent),
        cmocka_unit_test(a_stop_ends_all_calls_and_those_that_follow),
        cmocka_unit_test(a_call_may_be_submitted_again_at_its_end),
        cmocka_unit_test(calls_of_many_threads_each_end_once),
    };

    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
