/* The queue of changes of one image, where no kernel's lock keeps its callers apart. */
#include "tests/unit/region.h"

#include "core/base/container.h"

#include <stdatomic.h>
#include <string.h>

#define NO_ACCOUNT                                                                                 \
    "{\"requestId\":\"req-7\",\"error\":{\"code\":400,\"status\":\"FAILED_PRECONDITION\","         \
    "\"message\":\"Invalid pin 'alice'\"}}"

/* The number of the request NUMBER (from 0) among those whose first line holds PART. */
static int number_of(struct region *region, const char *part, int number)
{
    int requests = cloud_server_requests(region->server);

    for (int i = 0; i < requests; i++) {
        const char *text = cloud_server_request(region->server, i);
        if (memmem(text, strcspn(text, "\r"), part, strlen(part)) && number-- == 0)
            return i;
    }
    fail_msg("%s was not asked for so often", part);
    return -1;
}

/* Mounts a region that has said what images there are; gives the row of img-1. */
static int64_t open_listed(void **state, struct region *region, const struct cloud_answer *script,
                           size_t count, int64_t timeout_s)
{
    region_open(state, region, script, count, timeout_s);
    assert_done(region_visit(region, (struct refresh){.received = false}));
    return region_image(region, "img-1");
}

/* --- changes behind one that is on its way --- */

static void who_wants_what_is_on_its_way_gets_its_answer(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS, {.body = REGION_DONE, .to = TO_SHARE, .way = CLOUD_HANG}};
    struct region region;
    int64_t image = open_listed(state, &region, script, COUNT_OF(script), 0);
    struct request first = request_of(CHANGE_SHARE, image, "alice");
    struct request second = request_of(CHANGE_SHARE, image, "alice");
    struct request exclusive = request_of(CHANGE_SHARE, image, "alice");
    struct request third = request_of(CHANGE_SHARE, image, "alice");

    exclusive.change.exclusive = true;
    request_begin(region.mount, &first);
    cloud_server_wait_for(region.server, TO_SHARE, 1);
    request_begin(region.mount, &second);
    request_begin(region.mount, &exclusive);
    request_begin(region.mount, &third);
    cloud_server_release(region.server);
    assert_done(request_end(&first));
    assert_done(request_end(&second));
    assert_done(request_end(&third));
    assert_refused(request_end(&exclusive), "already-shared");
    assert_true(first.change.share > 0);
    assert_int_equal(second.change.share, first.change.share);
    assert_int_equal(second.change.created_ns, first.change.created_ns);
    assert_int_equal(third.change.share, first.change.share);
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 1);
    assert_string_equal(mount_pins(region.mount, image), "alice");
    region_close(&region);
}

static void a_refusal_is_that_of_all_who_wanted_the_same(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.status = 400, .body = NO_ACCOUNT, .to = TO_SHARE, .way = CLOUD_HANG},
        {.body = REGION_DONE, .to = TO_SHARE}};
    struct region region;
    int64_t image = open_listed(state, &region, script, COUNT_OF(script), 0);
    struct request first = request_of(CHANGE_SHARE, image, "alice");
    struct request second = request_of(CHANGE_SHARE, image, "alice");

    request_begin(region.mount, &first);
    cloud_server_wait_for(region.server, TO_SHARE, 1);
    request_begin(region.mount, &second);
    cloud_server_release(region.server);
    assert_refused(request_end(&first), "no-account");
    assert_refused(request_end(&second), "no-account");
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 1);
    assert_done(mount_share(region.mount, image, "alice")); /* it was no answer for ever */
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 2);
    region_close(&region);
}

static void nobody_gets_an_answer_from_before_an_opposite_change(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.body = REGION_DONE, .to = TO_SHARE, .way = CLOUD_HANG},
        {.body = REGION_DONE, .to = TO_UNSHARE}};
    struct region region;
    int64_t image = open_listed(state, &region, script, COUNT_OF(script), 0);
    struct request share = request_of(CHANGE_SHARE, image, "alice");
    struct request cancel = request_of(CHANGE_CANCEL, image, "alice");
    struct request again = request_of(CHANGE_SHARE, image, "alice");

    request_begin(region.mount, &share);
    cloud_server_wait_for(region.server, TO_SHARE, 1);
    request_begin(region.mount, &cancel);
    request_begin(region.mount, &again);
    cloud_server_release(region.server);
    assert_done(request_end(&share));
    assert_done(request_end(&cancel));
    assert_done(request_end(&again));
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 2);
    assert_int_equal(cloud_server_asked(region.server, TO_UNSHARE), 1);
    assert_true(number_of(&region, TO_UNSHARE, 0) > number_of(&region, TO_SHARE, 0));
    assert_true(number_of(&region, TO_UNSHARE, 0) < number_of(&region, TO_SHARE, 1));
    assert_string_equal(mount_pins(region.mount, image), "alice");
    assert_true(again.change.share > share.change.share); /* another share */
    region_close(&region);
}

/* A request whose end begins another one. */
struct chained {
    struct request request;
    struct mount *mount;
    struct request *next;
};

static void begin_next(struct change *change, int result)
{
    struct request *request = CONTAINER_OF(change, struct request, change);
    struct chained *chained = CONTAINER_OF(request, struct chained, request);

    request_begin(chained->mount, chained->next);
    request->result = result;
    request->times_done++;
    (void)sem_post(&request->ended);
}

/* The last one of the queue is taken out of it, and then another comes. */
static void a_queue_goes_on_behind_those_that_were_answered_together(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.body = REGION_DONE, .to = TO_SHARE, .way = CLOUD_HANG},
        {.body = REGION_DONE, .to = TO_SHARE}};
    struct region region;
    int64_t image = open_listed(state, &region, script, COUNT_OF(script), 0);
    struct request carol = request_of(CHANGE_SHARE, image, "carol");
    struct chained alice = {
        .request = request_of(CHANGE_SHARE, image, "alice"), .mount = region.mount, .next = &carol};
    struct request bob = request_of(CHANGE_SHARE, image, "bob");
    struct request same = request_of(CHANGE_SHARE, image, "alice");

    request_begin(region.mount, &alice.request);
    alice.request.change.done = begin_next;
    cloud_server_wait_for(region.server, TO_SHARE, 1);
    request_begin(region.mount, &bob);
    request_begin(region.mount, &same);
    cloud_server_release(region.server);
    assert_done(request_end(&alice.request));
    assert_done(request_end(&same));
    assert_done(request_end(&bob));
    assert_done(request_end(&carol));
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 3);
    assert_string_equal(mount_pins(region.mount, image), "alice bob carol");
    region_close(&region);
}

/* --- changes behind one of unknown outcome --- */

static atomic_bool interrupted;

static bool is_interrupted(struct change *change)
{
    (void)change;
    return atomic_load(&interrupted);
}

/* The service fell over while it shared the image with alice, and then does not tell its members. */
#define UNKNOWN_SHARE                                                                              \
    REGION_LISTS, {.status = 500, .body = REGION_FAILED, .to = TO_SHARE},                          \
    {                                                                                              \
        .status = 403, .body = REGION_FORBIDDEN, .to = TO_MEMBERS                                  \
    }

static void what_follows_a_change_of_unknown_outcome_waits_for_it(void **state)
{
    static const struct cloud_answer script[] = {
        UNKNOWN_SHARE,
        {.body = REGION_DONE, .to = TO_SHARE},
        {.body = REGION_MEMBERS("\"alice\""), .to = TO_MEMBERS, .way = CLOUD_HANG},
        {.body = REGION_DONE, .to = TO_UNSHARE}};
    struct region region;
    int64_t image = open_listed(state, &region, script, COUNT_OF(script), 0);
    struct request cancel = request_of(CHANGE_CANCEL, image, "alice");
    struct request bob = request_of(CHANGE_SHARE, image, "bob");

    assert_refused(mount_share(region.mount, image, "alice"), "service-failed");
    assert_holds(region_status(&region), "unsettled: 1 change\n");
    cloud_server_wait_for(region.server, TO_MEMBERS, 2);
    request_begin(region.mount, &cancel);
    request_begin(region.mount, &bob);
    assert_int_equal(cloud_server_asked(region.server, TO_UNSHARE), 0);
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 1);
    cloud_server_release(region.server);
    assert_done(request_end(&cancel));
    assert_done(request_end(&bob));
    assert_true(number_of(&region, TO_UNSHARE, 0) < number_of(&region, TO_SHARE, 1));
    assert_string_equal(mount_pins(region.mount, image), "bob");
    assert_holds(mount_events(region.mount), " settled=made");
    assert_lacks(region_status(&region), "unsettled: 1 change\n");
    region_close(&region);
}

static void who_waits_for_an_unknown_outcome_can_be_interrupted(void **state)
{
    static const struct cloud_answer script[] = {UNKNOWN_SHARE,
                                                 {.body = REGION_DONE, .to = TO_SHARE},
                                                 {.body = REGION_DONE, .to = TO_UNSHARE}};
    struct region region;
    int64_t image = open_listed(state, &region, script, COUNT_OF(script), 0);
    struct request cancel = request_of(CHANGE_CANCEL, image, "alice");
    struct request bob = request_of(CHANGE_SHARE, image, "bob");

    assert_refused(mount_share(region.mount, image, "alice"), "service-failed");
    atomic_store(&interrupted, false);
    cancel.change.interrupted = is_interrupted;
    request_begin(region.mount, &cancel);
    request_begin(region.mount, &bob);
    atomic_store(&interrupted, true);
    assert_refused(request_end(&cancel), "interrupted");
    assert_done(request_end(&bob)); /* nobody is before him any more */
    assert_int_equal(cloud_server_asked(region.server, TO_UNSHARE), 0);
    assert_holds(region_status(&region), "unsettled: 1 change\n");
    region_close(&region);
}

static void who_waits_for_an_unknown_outcome_waits_until_his_deadline(void **state)
{
    static const struct cloud_answer script[] = {UNKNOWN_SHARE,
                                                 {.body = REGION_DONE, .to = TO_UNSHARE}};
    struct region region;
    int64_t image = open_listed(state, &region, script, COUNT_OF(script), 1);

    assert_refused(mount_share(region.mount, image, "alice"), "service-failed");
    assert_refused(mount_cancel(region.mount, image, "alice"), "service-timeout");
    assert_int_equal(cloud_server_asked(region.server, TO_UNSHARE), 0);
    region_close(&region);
}

/* --- changes behind one whose caller was interrupted --- */

#define BUSY                                                                                       \
    "{\"requestId\":\"req-8\",\"error\":{\"code\":409,\"status\":\"ABORTED\","                     \
    "\"message\":\"The image 'img-1' is busy\"}}"

/* Mounts a region whose first answer to a share hangs; shares img-1 with alice, and is interrupted when that
 * was sent; does so again before the answer comes, and is not. */
static void share_twice(void **state, struct region *region, const struct cloud_answer *script,
                        size_t count)
{
    int64_t image = open_listed(state, region, script, count, 0);
    struct request first = request_of(CHANGE_SHARE, image, "alice");
    struct request again = request_of(CHANGE_SHARE, image, "alice");

    atomic_store(&interrupted, false);
    first.change.interrupted = is_interrupted;
    request_begin(region->mount, &first);
    cloud_server_wait_for(region->server, TO_SHARE, 1);
    atomic_store(&interrupted, true);
    assert_refused(request_end(&first), "interrupted");
    assert_holds(region_status(region), "unsettled: 1 change\n");
    assert_holds(mount_events(region->mount), " unsettled=yes");
    request_begin(region->mount, &again);
    cloud_server_release(region->server);
    assert_done(request_end(&again));
    assert_string_equal(mount_pins(region->mount, image), "alice");
    assert_lacks(region_status(region), "unsettled: 1 change\n");
}

static void the_answer_to_who_was_interrupted_is_that_of_who_asks_again(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS, {.body = REGION_DONE, .to = TO_SHARE, .way = CLOUD_HANG}};
    struct region region;

    share_twice(state, &region, script, COUNT_OF(script));
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 1);
    assert_holds(mount_events(region.mount), " settled=made");
    region_close(&region);
}

/* Busy is tried again for those who wait. */
static void a_refusal_of_who_was_interrupted_is_nobody_elses(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.status = 409, .body = BUSY, .to = TO_SHARE, .way = CLOUD_HANG},
        {.body = REGION_DONE, .to = TO_SHARE}};
    struct region region;

    share_twice(state, &region, script, COUNT_OF(script));
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 2);
    assert_holds(mount_events(region.mount), " errno=EBUSY");
    assert_holds(mount_events(region.mount), " settled=not-made");
    region_close(&region);
}

/* --- the end of a mount --- */

static void at_the_end_of_a_mount_nobody_is_left_waiting(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.body = REGION_DONE, .to = TO_SHARE, .way = CLOUD_HANG},
        {.body = REGION_MEMBERS("\"alice\""), .to = TO_MEMBERS}};
    struct region region;
    int64_t image = open_listed(state, &region, script, COUNT_OF(script), 0);
    struct request alice = request_of(CHANGE_SHARE, image, "alice");
    struct request same = request_of(CHANGE_SHARE, image, "alice");
    struct request bob = request_of(CHANGE_SHARE, image, "bob");
    struct refresh about_alice = {.image = image, .shares = true, .pin = "alice"};

    request_begin(region.mount, &alice);
    cloud_server_wait_for(region.server, TO_SHARE, 1);
    request_begin(region.mount, &same);
    request_begin(region.mount, &bob);
    region_mount_again(&region);
    assert_refused(request_end(&alice), "interrupted");
    assert_refused(request_end(&same), "interrupted");
    assert_refused(request_end(&bob), "interrupted");
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 1);
    /* The next one finds out what became of what had been sent. */
    while (catalog_must_ask(region.mount->catalog, &region.mount->view, &about_alice, NULL))
        assert_done(region_visit(&region, about_alice));
    assert_string_equal(mount_pins(region.mount, image), "alice");
    assert_holds(mount_events(region.mount), " settled=made");
    region_close(&region);
}

#define QUEUE_TEST(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(who_wants_what_is_on_its_way_gets_its_answer),
        QUEUE_TEST(a_refusal_is_that_of_all_who_wanted_the_same),
        QUEUE_TEST(nobody_gets_an_answer_from_before_an_opposite_change),
        QUEUE_TEST(a_queue_goes_on_behind_those_that_were_answered_together),
        QUEUE_TEST(what_follows_a_change_of_unknown_outcome_waits_for_it),
        QUEUE_TEST(who_waits_for_an_unknown_outcome_can_be_interrupted),
        QUEUE_TEST(who_waits_for_an_unknown_outcome_waits_until_his_deadline),
        QUEUE_TEST(the_answer_to_who_was_interrupted_is_that_of_who_asks_again),
        QUEUE_TEST(a_refusal_of_who_was_interrupted_is_nobody_elses),
        QUEUE_TEST(at_the_end_of_a_mount_nobody_is_left_waiting),
    };

    return cmocka_run_group_tests_name("jdcloud_queue", tests, NULL, NULL);
}
