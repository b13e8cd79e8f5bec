/* The client of the cloud: what is tried again, and ways that lead nowhere. */
#include "tests/unit/cloud.h"

#include <errno.h>
#include <string.h>

/* --- what is tried again --- */

static void a_question_is_asked_again_and_signed_anew(void **state)
{
    static const struct cloud_answer script[] = {
        {.status = 500, .body = FAULT("500", "INTERNAL", "Internal server error")},
        {.status = 502, .body = "<html>bad gateway</html>"},
        {.body = RESULT}};
    struct cloud cloud;
    struct ask ask;
    char nonce[2][64];

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_done(question(&cloud, &ask, LONG_MS));
    assert_int_equal(cloud_server_requests(cloud.server), 3);
    for (int i = 0; i < 2; i++)
        (void)snprintf(nonce[i], sizeof(nonce[i]), "%s",
                       cloud_server_header(cloud.server, i, "x-jdcloud-nonce"));
    assert_string_not_equal(nonce[0], nonce[1]);
    cloud_close(&cloud);
}

static void a_question_ends_with_what_the_last_try_said(void **state)
{
    static const struct cloud_answer script[] = {
        {.status = 500, .body = FAULT("500", "UNKNOWN", "Unknown server error \\u001b[2J")}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_refused(question(&cloud, &ask, LONG_MS), "service-failed");
    assert_int_equal(cloud_server_requests(cloud.server), 4);
    assert_int_equal(ask.reply.status, 500);
    assert_true(ask.reply.answered);
    assert_string_equal(ask.message, "Unknown server error \\x1b[2J");
    assert_string_equal(ask.request_id, "req-3");
    cloud_close(&cloud);
}

static void a_change_that_may_be_carried_out_is_not_sent_again(void **state)
{
    static const struct cloud_answer scripts[][1] = {
        {{.status = 500, .body = FAULT("500", "INTERNAL", "Internal server error")}},
        {{.status = 504, .body = "<html>gateway timeout</html>"}},
        {{.body = "<html>welcome to this hotel</html>"}},
        {{.body = SHARED, .way = CLOUD_CUT}},
        {{.body = "", .way = CLOUD_CLOSE}},
    };
    static const char *const codes[] = {"service-failed", "service-failed", "service-answer",
                                        "service-answer", "service-failed"};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        cloud_open(&cloud, scripts[i], 1);
        assert_refused(share(&cloud, &ask, LONG_MS), codes[i]);
        assert_true(ask.reply.unknown);
        assert_int_equal(ask.reply.answered, i == 0);
        assert_string_not_equal(ask.message, "");
        assert_int_equal(cloud_server_requests(cloud.server), 1);
        cloud_close(&cloud);
    }
}

static void a_change_that_is_known_not_to_be_done_is_sent_again(void **state)
{
    static const struct cloud_answer script[] = {
        {.status = 400,
         .body = FAULT("400", "FAILED_PRECONDITION", "Conflict with underlay image task 'x'")},
        {.status = 503, .body = FAULT("503", "UNAVAILABLE", "try again")},
        {.body = SHARED}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_done(share(&cloud, &ask, LONG_MS));
    assert_false(ask.reply.unknown);
    assert_int_equal(cloud_server_requests(cloud.server), 3);
    cloud_close(&cloud);
}

static void what_asks_to_be_left_alone_is_left_alone(void **state)
{
    static const struct cloud_answer script[] = {
        {.status = 503, .body = FAULT("503", "UNAVAILABLE", "x"), .headers = "Retry-After: 1\r\n"},
        {.body = SHARED},
        {.status = 503, .body = FAULT("503", "UNAVAILABLE", "x"), .headers = "Retry-After: 9\r\n"},
        {.status = 503,
         .body = FAULT("503", "UNAVAILABLE", "x"),
         .headers = "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n"},
        {.status = 503,
         .body = FAULT("503", "UNAVAILABLE", "x"),
         .headers = "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
        {.body = SHARED}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_done(share(&cloud, &ask, LONG_MS));
    assert_true(ask.took_ms >= 1000);
    for (int i = 0; i < 2; i++) { /* longer than the deadline: no use in waiting */
        assert_refused(share(&cloud, &ask, LONG_MS), "service-failed");
        assert_true(ask.took_ms < 1000);
    }
    assert_int_equal(cloud_server_requests(cloud.server), 4);
    assert_done(share(&cloud, &ask, LONG_MS));
    assert_true(ask.took_ms < 1000);
    cloud_close(&cloud);
}

static void a_refused_change_is_sent_once(void **state)
{
    static const struct cloud_answer script[] = {
        {.status = 429,
         .body = FAULT("429", "QUOTA_EXCEEDED", "Image share quota limit exceeded")}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_refused(share(&cloud, &ask, LONG_MS), "image-limit");
    assert_false(ask.reply.unknown);
    assert_int_equal(cloud_server_requests(cloud.server), 1);
    cloud_close(&cloud);
}

/* libcurl by itself would send the same bytes, with the same nonce, once more. */
static void a_kept_connection_that_ends_without_an_answer_does_not_send_a_change_twice(void **state)
{
    static const struct cloud_answer script[] = {
        {.body = SHARED}, {.body = "", .way = CLOUD_CLOSE}, {.body = SHARED}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_done(share(&cloud, &ask, LONG_MS));
    assert_refused(share(&cloud, &ask, LONG_MS), "service-failed");
    assert_true(ask.reply.unknown);
    assert_int_equal(cloud_server_requests(cloud.server), 2);
    cloud_close(&cloud);
}

static void a_kept_connection_that_ends_is_made_anew_for_a_question(void **state)
{
    static const struct cloud_answer script[] = {
        {.body = RESULT}, {.body = "", .way = CLOUD_CLOSE}, {.body = RESULT}};
    struct cloud cloud;
    struct ask ask;
    char nonce[64];

    (void)state;
    cloud_open(&cloud, script, COUNT_OF(script));
    assert_done(question(&cloud, &ask, LONG_MS));
    assert_done(question(&cloud, &ask, LONG_MS));
    assert_int_equal(cloud_server_requests(cloud.server), 3);
    (void)snprintf(nonce, sizeof(nonce), "%s",
                   cloud_server_header(cloud.server, 1, "x-jdcloud-nonce"));
    assert_string_not_equal(nonce, cloud_server_header(cloud.server, 2, "x-jdcloud-nonce"));
    cloud_close(&cloud);
}

/* SERVER is taken over. */
static void hang_up_before_a_change(struct cloud_server *server)
{
    struct cloud cloud;
    struct ask ask;

    cloud_open_to(&cloud, server);
    assert_done(question(&cloud, &ask, LONG_MS));
    cloud_server_hang_up(server);
    assert_done(share(&cloud, &ask, LONG_MS));
    assert_int_equal(cloud_server_requests(server), 2);
    assert_int_equal(cloud_server_connections(server), 2);
    cloud_close(&cloud);
}

static void a_change_is_not_sent_into_a_kept_connection_that_has_ended(void **state)
{
    static const struct cloud_answer script[] = {{.body = RESULT}, {.body = SHARED}};
    struct cloud_server *v6 = cloud_server_new_v6(script, COUNT_OF(script));

    (void)state;
    hang_up_before_a_change(cloud_server_new(script, COUNT_OF(script)));
    if (v6)
        hang_up_before_a_change(v6);
    else
        print_message("no IPv6 here\n");
}

/* --- ways that lead nowhere --- */

static void who_takes_no_connections_is_soon_given_up(void **state)
{
    static const struct cloud_answer script[] = {{.body = SHARED}};
    struct cloud_server *gone = cloud_server_new(script, 1);
    struct cloud cloud;
    struct ask ask;
    char endpoint[64];

    (void)state;
    (void)snprintf(endpoint, sizeof(endpoint), "%s", cloud_server_endpoint(gone));
    cloud_server_free(gone);
    cloud_open_with(&cloud, script, 1, (struct client_options){.endpoint = endpoint});
    assert_refused(share(&cloud, &ask, LONG_MS), "service-closed");
    assert_false(ask.reply.unknown);
    assert_false(ask.reply.answered);
    assert_in_range(ask.took_ms, 0, 1500);
    assert_string_not_equal(ask.message, "");
    cloud_close(&cloud);
}

static void a_host_that_speaks_no_tls_is_not_trusted(void **state)
{
    static const struct cloud_answer script[] = {{.body = SHARED}};
    struct cloud_server *plain = cloud_server_new(script, 1);
    struct cloud cloud;
    struct ask ask;
    char endpoint[64];

    (void)state;
    (void)snprintf(endpoint, sizeof(endpoint), "https://%s",
                   cloud_server_endpoint(plain) + strlen("http://"));
    cloud_open_with(&cloud, script, 1, (struct client_options){.endpoint = endpoint});
    assert_refused(share(&cloud, &ask, LONG_MS), "service-tls");
    assert_false(ask.reply.unknown);
    cloud_close(&cloud);
    cloud_server_free(plain);
}

static void a_proxy_of_the_environment_is_not_for_what_is_not_encrypted(void **state)
{
    static const struct cloud_answer script[] = {{.body = SHARED}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    assert_int_equal(setenv("http_proxy", "http://user:secret@127.0.0.1:1", 1), 0);
    cloud_open(&cloud, script, 1);
    assert_done(share(&cloud, &ask, LONG_MS));
    cloud_close(&cloud);
    assert_int_equal(unsetenv("http_proxy"), 0);
}

static void a_redirection_is_not_followed(void **state)
{
    static const struct cloud_answer script[] = {
        {.status = 302, .headers = "Location: /elsewhere\r\n", .body = ""}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, 1);
    assert_refused(question(&cloud, &ask, LONG_MS), "service-answer");
    assert_int_equal(cloud_server_requests(cloud.server), 1);
    cloud_close(&cloud);
}

static void an_answer_without_an_end_is_cut_off(void **state)
{
    static const struct cloud_answer script[] = {{.body = "", .way = CLOUD_FLOOD}};
    struct cloud cloud;
    struct ask ask;

    (void)state;
    cloud_open(&cloud, script, 1);
    ask_begin(&ask);
    assert_done(api_image(&ask.call, "cn-north-1", "img-1"));
    ask_submit(&cloud, &ask, LONG_MS);
    assert_refused(ask_wait(&ask), "service-answer");
    assert_string_equal(ask.message, "the answer is too large");
    assert_int_equal(cloud_server_requests(cloud.server), 1);
    cloud_close(&cloud);
}

static void an_endpoint_is_https_or_this_machine(void **state)
{
    static const char *const good[] = {"https://vm.jdcloud-api.com",
                                       "https://vm.jdcloud-api.com/",
                                       "https://host:8443",
                                       "http://127.0.0.1:18080",
                                       "http://127.1.2.3",
                                       "http://localhost:1",
                                       "http://[::1]:1",
                                       "https://[2001:db8::1]"};
    static const char *const bad[] = {"http://vm.jdcloud-api.com",
                                      "http://127.0.0.1.example.com",
                                      "http://localhost.example.com",
                                      "http://10.0.0.1",
                                      "https://user:secret@host",
                                      "http://127.0.0.1@host",
                                      "https://host/path",
                                      "https://host?query",
                                      "https://host#fragment",
                                      "ftp://host",
                                      "file:///etc/passwd",
                                      "host",
                                      "",
                                      "https://",
                                      "https://host:99999",
                                      "https://host name"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        CLEANUP_BUFFER struct buffer error = BUFFER_INIT(512);
        if (client_check_endpoint(good[i], &error) != 0)
            fail_msg("%s: %s", good[i], buffer_text(&error));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CLEANUP_BUFFER struct buffer error = BUFFER_INIT(512);
        if (client_check_endpoint(bad[i], &error) != -EINVAL)
            fail_msg("%s is let through", bad[i]);
        assert_holds(buffer_text(&error), "endpoint");
        assert_lacks(buffer_text(&error), "secret");
    }
}

static void a_client_that_cannot_be_started_says_why(void **state)
{
    static const struct {
        struct client_options options;
        int result;
        const char *words;
    } rows[] = {
        {{.endpoint = "https://h\xc3\xb6st"}, -EINVAL, ": its host is not written in ASCII"},
        {{.endpoint = "http://example.com"}, -EINVAL, "use https://"},
        {{.ca_file = "/nowhere/ca\n.pem"},
         -ENOENT,
         "cacert /nowhere/ca\\x0a.pem: No such file or directory"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP_BUFFER struct buffer error = BUFFER_INIT(512);
        struct client *client = NULL;
        struct client_options options = rows[i].options;
        options.credentials = &cloud_credentials;
        options.region = "cn-north-1";
        assert_int_equal(client_new(&options, &error, &client), rows[i].result);
        assert_null(client);
        assert_holds(buffer_text(&error), rows[i].words);
    }
}

static void an_endpoint_that_is_too_long_is_refused(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct client *client = NULL;
    char endpoint[600] = "";
    const struct client_options options = {
        .credentials = &cloud_credentials, .region = "cn-north-1", .endpoint = endpoint};

    (void)state;
    memset(endpoint, 'a', sizeof(endpoint) - 1);
    memcpy(endpoint, "https://", 8);
    assert_int_equal(client_new(&options, &error, &client), -EINVAL);
    assert_null(client);
    assert_holds(buffer_text(&error), ": it is too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_asked_again_and_signed_anew),
        cmocka_unit_test(a_question_ends_with_what_the_last_try_said),
        cmocka_unit_test(a_change_that_may_be_carried_out_is_not_sent_again),
        cmocka_unit_test(a_change_that_is_known_not_to_be_done_is_sent_again),
        cmocka_unit_test(what_asks_to_be_left_alone_is_left_alone),
        cmocka_unit_test(a_refused_change_is_sent_once),
        cmocka_unit_test(
            a_kept_connection_that_ends_without_an_answer_does_not_send_a_change_twice),
        cmocka_unit_test(a_kept_connection_that_ends_is_made_anew_for_a_question),
        cmocka_unit_test(a_change_is_not_sent_into_a_kept_connection_that_has_ended),
        cmocka_unit_test(who_takes_no_connections_is_soon_given_up),
        cmocka_unit_test(a_host_that_speaks_no_tls_is_not_trusted),
        cmocka_unit_test(a_proxy_of_the_environment_is_not_for_what_is_not_encrypted),
        cmocka_unit_test(a_redirection_is_not_followed),
        cmocka_unit_test(an_answer_without_an_end_is_cut_off),
        cmocka_unit_test(an_endpoint_is_https_or_this_machine),
        cmocka_unit_test(a_client_that_cannot_be_started_says_why),
        cmocka_unit_test(an_endpoint_that_is_too_long_is_refused),
    };

    return cmocka_run_group_tests_name("client_retry", tests, NULL, NULL);
}
