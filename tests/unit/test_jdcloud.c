/* The JD Cloud source: answers that come late, twice, or wrong, and a store that says no. */
#include "tests/unit/region.h"

#include "core/base/buffer.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ONE_PRIVATE                                                                                \
    "{\"requestId\":\"req-1\",\"result\":{\"images\":["                                            \
    "{\"imageId\":\"img-1\",\"name\":\"golden\",\"status\":\"ready\"}],\"totalCount\":1}}"
#define TO_RECORD "/images/img-1 "
#define RECORD(id, name)                                                                           \
    "{\"requestId\":\"req-8\",\"result\":{\"image\":"                                              \
    "{\"imageId\":\"" id "\",\"name\":\"" name "\",\"status\":\"ready\"}}}"
#define SECOND_NS 1000000000LL

/* Opens a region and hears what images there are. */
static void open_listed(void **state, struct region *region, const struct cloud_answer *script,
                        size_t count)
{
    region_open(state, region, script, count, 0);
    assert_done(region_visit(region, (struct refresh){.received = false}));
    assert_done(region_visit(region, (struct refresh){.received = true}));
}

static bool has_image(struct region *region, const char *id)
{
    struct view_image image = {0};

    return view_image_by_id(&region->mount->view, VIEW_PRIVATE, id, &image) == 0;
}

static struct refresh shares_of(struct region *region, const char *id)
{
    return (struct refresh){.image = region_image(region, id), .shares = true};
}

/* --- who waits for which answer --- */

static void a_refresh_hears_a_list_that_began_after_it(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.body = REGION_PRIVATE, .to = TO_PRIVATE, .way = CLOUD_HANG},
        {.body = ONE_PRIVATE, .to = TO_PRIVATE}};
    struct region region;
    struct wish wish;

    open_listed(state, &region, script, COUNT_OF(script));
    region_mount_again(&region);
    cloud_server_wait_for(region.server, TO_PRIVATE, 2);
    wish_refresh(&region, &wish, (struct refresh){.image = 0});
    assert_true(has_image(&region, "img-2"));
    cloud_server_release(region.server);
    assert_done(wish_end(&wish));
    assert_int_equal(cloud_server_asked(region.server, TO_PRIVATE), 3);
    assert_true(has_image(&region, "img-1"));
    assert_false(has_image(&region, "img-2"));
    region_close(&region);
}

static void a_refresh_of_shares_hears_members_that_were_asked_for_after_it(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.body = REGION_MEMBERS("\"alice\""), .to = TO_MEMBERS, .way = CLOUD_HANG},
        {.body = REGION_MEMBERS("\"bob\""), .to = TO_MEMBERS}};
    struct region region;
    struct wish first;
    struct wish second;
    struct wish third;

    open_listed(state, &region, script, COUNT_OF(script));
    struct refresh shares = shares_of(&region, "img-1");
    wish_refresh(&region, &first, shares);
    cloud_server_wait_for(region.server, TO_MEMBERS, 1);
    wish_refresh(&region, &second, shares);
    wish_refresh(&region, &third, shares);
    cloud_server_release(region.server);
    assert_done(wish_end(&first));
    assert_done(wish_end(&second));
    assert_done(wish_end(&third));
    assert_int_equal(cloud_server_asked(region.server, TO_MEMBERS), 2);
    assert_string_equal(mount_pins(region.mount, shares.image), "bob");
    region_close(&region);
}

static void two_who_want_one_record_get_it_by_one_request(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS, {.body = RECORD("img-1", "renamed"), .to = TO_RECORD, .way = CLOUD_HANG}};
    CLEANUP_RECORD struct view_record record = {0};
    struct region region;
    struct wish first;
    struct wish second;

    open_listed(state, &region, script, COUNT_OF(script));
    struct refresh wanted = {.image = region_image(&region, "img-1")};
    wish_refresh(&region, &first, wanted);
    cloud_server_wait_for(region.server, TO_RECORD, 1);
    wish_refresh(&region, &second, wanted);
    cloud_server_release(region.server);
    assert_done(wish_end(&first));
    assert_done(wish_end(&second));
    assert_int_equal(cloud_server_asked(region.server, TO_RECORD), 1);
    assert_done(view_record(&region.mount->view, wanted.image, &record));
    assert_string_equal(record.name, "renamed");
    region_close(&region);
}

/* --- answers that are none --- */

static void a_record_that_is_none_is_not_taken(void **state)
{
    static char large[(1 << 20) + 512];
    static const char large_begin[] = "{\"requestId\":\"r\",\"result\":{\"image\":"
                                      "{\"imageId\":\"img-1\",\"name\":\"n\",\"more\":\"";
    static const char large_end[] = "\"}}}";
    static const char *const bodies[] = {
        RECORD("img-2", "another"),
        "{\"requestId\":\"r\",\"result\":{\"image\":{\"name\":\"without an id\"}}}",
        "{\"requestId\":\"r\",\"result\":{\"image\":[]}}",
        "{\"requestId\":\"r\",\"result\":{}}",
        large,
    };

    /* More than is kept of an image. */
    memset(large, 'x', sizeof(large) - 1);
    memcpy(large, large_begin, strlen(large_begin));
    memcpy(large + sizeof(large) - sizeof(large_end), large_end, sizeof(large_end));
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        const struct cloud_answer script[] = {REGION_LISTS, {.body = bodies[i], .to = TO_RECORD}};
        CLEANUP_RECORD struct view_record record = {0};
        struct region region;
        open_listed(state, &region, script, COUNT_OF(script));
        struct refresh wanted = {.image = region_image(&region, "img-1")};
        assert_refused(region_refresh(&region, wanted), "service-answer");
        assert_done(view_record(&region.mount->view, wanted.image, &record));
        assert_string_equal(record.name, "golden");
        region_close(&region);
    }
}

/* --- an image that goes meanwhile --- */

static void an_image_that_goes_meanwhile_is_gone_for_all_who_asked_about_it(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.body = ONE_PRIVATE, .to = TO_PRIVATE},
        {.body = REGION_MEMBERS("\"alice\""), .to = TO_MEMBERS, .way = CLOUD_HANG},
        {.body = RECORD("img-2", "web"), .to = "/images/img-2 ", .way = CLOUD_HANG},
        {.body = REGION_DONE, .to = TO_SHARE, .way = CLOUD_HANG}};
    struct region region;
    struct wish members;
    struct wish record;

    open_listed(state, &region, script, COUNT_OF(script));
    int64_t image = region_image(&region, "img-2");
    struct request share = request_of(CHANGE_SHARE, image, "bob");
    wish_refresh(&region, &members, (struct refresh){.image = image, .shares = true});
    wish_refresh(&region, &record, (struct refresh){.image = image});
    request_begin(region.mount, &share);
    cloud_server_wait_for(region.server, "img-2", 3);
    assert_done(region_refresh(&region, (struct refresh){.image = 0}));
    assert_false(has_image(&region, "img-2"));
    cloud_server_release(region.server);
    assert_refused(wish_end(&members), "image-gone");
    assert_refused(wish_end(&record), "image-gone");
    assert_done(request_end(&share)); /* the cloud has made it */
    assert_false(has_image(&region, "img-2"));
    assert_holds(region_status(&region), "last_error: none\n");
    assert_holds(region_status(&region), "unsettled: 0 changes\n");
    assert_refused(mount_share(region.mount, image, "bob"), "image-gone");
    region_close(&region);
}

static void an_image_of_another_owner_is_another_image(void **state)
{
#define RECEIVED(owner)                                                                            \
    {                                                                                              \
        .body = "{\"requestId\":\"req-9\",\"result\":{\"images\":[{\"imageId\":\"img-3\","         \
                "\"name\":\"x\","                                                                  \
                "\"status\":\"ready\",\"ownerPin\":\"" owner "\"}],\"totalCount\":1}}",            \
        .to = TO_SHARED                                                                            \
    }
    static const struct cloud_answer script[] = {{.body = REGION_PRIVATE, .to = TO_PRIVATE},
                                                 RECEIVED("alice"),
                                                 RECEIVED("alice"),
                                                 RECEIVED("bob"),
                                                 RECEIVED("owner")};
    struct region region;

    open_listed(state, &region, script, COUNT_OF(script));
    int64_t of_alice = region_received(&region, "img-3");
    assert_done(region_refresh(&region, (struct refresh){.image = 0}));
    assert_int_equal(region_received(&region, "img-3"), of_alice);
    assert_done(region_refresh(&region, (struct refresh){.image = 0}));
    int64_t of_bob = region_received(&region, "img-3");
    assert_true(of_bob > of_alice);
    /* Nobody shares with himself: such a list is not believed, and takes nothing away. */
    assert_done(region_refresh(&region, (struct refresh){.image = 0}));
    assert_int_equal(region_received(&region, "img-3"), of_bob);
    region_close(&region);
}

/* --- what the members say of changes --- */

/* Makes all changes in the journal of the region, which is not mounted, so much older. */
static void age_journal(struct region *region, int64_t seconds)
{
    char path[PATH_MAX];
    sqlite3 *db = NULL;
    char sql[128];

    (void)snprintf(path, sizeof(path), "%s", region->mount->catalog->store.path);
    region_unmount(region);
    (void)snprintf(sql, sizeof(sql), "UPDATE journal SET at_ns = at_ns - %lld",
                   (long long)(seconds * SECOND_NS));
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_changes(db) > 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    region_mount(region);
}

static void a_change_that_no_list_shows_in_time_was_not_made(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.status = 500, .body = REGION_FAILED, .to = TO_SHARE},
        {.status = 403, .body = REGION_FORBIDDEN, .to = TO_MEMBERS},
        {.status = 403, .body = REGION_FORBIDDEN, .to = TO_MEMBERS},
        {.body = REGION_MEMBERS(""), .to = TO_MEMBERS}};
    struct region region;

    open_listed(state, &region, script, COUNT_OF(script));
    struct refresh about_alice = shares_of(&region, "img-1");
    about_alice.pin = "alice";
    assert_refused(mount_share(region.mount, about_alice.image, "alice"), "service-failed");
    cloud_server_wait_for(region.server, TO_MEMBERS, 2);
    /* The next one shows nobody: too soon to say so of alice. */
    assert_done(region_refresh(&region, shares_of(&region, "img-1")));
    assert_holds(region_status(&region), "unsettled: 1 change\n");
    age_journal(&region, 11);
    while (catalog_must_ask(region.mount->catalog, &region.mount->view, &about_alice, NULL))
        assert_done(region_visit(&region, about_alice));
    assert_holds(mount_events(region.mount), " settled=not-made");
    assert_holds(region_status(&region), "unsettled: 0 changes\n");
    assert_string_equal(mount_pins(region.mount, about_alice.image), "");
    region_close(&region);
}

static void a_list_lags_behind_a_change_for_a_bounded_time(void **state)
{
    static const struct cloud_answer script[] = {REGION_LISTS,
                                                 {.body = REGION_DONE, .to = TO_SHARE},
                                                 {.body = REGION_MEMBERS(""), .to = TO_MEMBERS}};
    struct region region;

    open_listed(state, &region, script, COUNT_OF(script));
    struct refresh shares = shares_of(&region, "img-1");
    assert_done(mount_share(region.mount, shares.image, "alice"));
    assert_done(region_refresh(&region, shares));
    assert_string_equal(mount_pins(region.mount, shares.image), "alice");
    age_journal(&region, 61);
    assert_done(region_refresh(&region, shares));
    assert_string_equal(mount_pins(region.mount, shares.image), "");
    assert_holds(mount_events(region.mount), "action=vanished");
    region_close(&region);
}

static void while_a_change_is_on_its_way_what_was_before_may_be_said(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS, {.body = REGION_DONE, .to = TO_SHARE, .way = CLOUD_HANG}};
    struct region region;
    int64_t valid_ns = -1;

    open_listed(state, &region, script, COUNT_OF(script));
    struct request share = request_of(CHANGE_SHARE, region_image(&region, "img-1"), "alice");
    request_begin(region.mount, &share);
    cloud_server_wait_for(region.server, TO_SHARE, 1);
    assert_done(catalog_doubt(region.mount->catalog, &region.mount->view, share.change.image,
                              "alice", &valid_ns));
    assert_int_equal(valid_ns, 0); /* at this moment only */
    cloud_server_release(region.server);
    assert_done(request_end(&share));
    region_close(&region);
}

/* --- a store that says no --- */

/* Commits that are let through, and then those that fail. One that fails is followed by one that
 * writes down that it did. */
static atomic_int good_commits, bad_commits;

static int fail_commit(void *context)
{
    (void)context;
    if (atomic_fetch_sub(&good_commits, 1) > 0)
        return 0;
    return atomic_fetch_sub(&bad_commits, 1) > 0;
}

static void let_commits_fail(int good, int bad)
{
    atomic_store(&good_commits, good);
    atomic_store(&bad_commits, bad);
}

static void watch_commits(struct region *region)
{
    let_commits_fail(0, 0);
    (void)sqlite3_commit_hook(region->mount->catalog->store.connection.db, fail_commit, NULL);
}

static void what_the_cloud_has_made_is_made_whatever_the_store_says(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.body = REGION_DONE, .to = TO_SHARE},
        {.body = REGION_MEMBERS("\"alice\",\"bob\""), .to = TO_MEMBERS}};
    struct region region;

    open_listed(state, &region, script, COUNT_OF(script));
    watch_commits(&region);
    struct refresh shares = shares_of(&region, "img-1");
    let_commits_fail(1, 1); /* the journal's is let through */
    assert_done(mount_share(region.mount, shares.image, "alice"));
    assert_string_equal(mount_pins(region.mount, shares.image), "alice");
    assert_holds(region_status(&region), "last_error: none\n");
    let_commits_fail(1, INT_MAX);
    assert_done(mount_share(region.mount, shares.image, "bob"));
    assert_string_equal(mount_pins(region.mount, shares.image), "alice");
    assert_lacks(region_status(&region), "last_error: none\n");
    let_commits_fail(0, 0);
    assert_done(region_refresh(&region, shares));
    assert_string_equal(mount_pins(region.mount, shares.image), "alice bob");
    region_close(&region);
}

static void what_cannot_be_written_down_first_is_not_sent(void **state)
{
    static const struct cloud_answer script[] = {REGION_LISTS,
                                                 {.body = REGION_DONE, .to = TO_SHARE}};
    struct region region;

    open_listed(state, &region, script, COUNT_OF(script));
    int64_t image = region_image(&region, "img-1");
    watch_commits(&region);
    let_commits_fail(0, 1);
    assert_true(mount_share(region.mount, image, "alice") < 0);
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 0);
    assert_done(mount_share(region.mount, image, "alice"));
    assert_int_equal(cloud_server_asked(region.server, TO_SHARE), 1);
    region_close(&region);
}

static void an_outcome_that_nobody_knows_is_in_doubt_whatever_the_store_says(void **state)
{
    static const struct cloud_answer script[] = {
        REGION_LISTS,
        {.status = 500, .body = REGION_FAILED, .to = TO_SHARE},
        {.status = 403, .body = REGION_FORBIDDEN, .to = TO_MEMBERS},
        {.body = REGION_MEMBERS("\"alice\""), .to = TO_MEMBERS, .way = CLOUD_HANG}};
    struct region region;

    open_listed(state, &region, script, COUNT_OF(script));
    watch_commits(&region);
    struct refresh shares = shares_of(&region, "img-1");
    struct refresh about_alice = shares;
    about_alice.pin = "alice";
    let_commits_fail(1, INT_MAX);
    assert_refused(mount_share(region.mount, shares.image, "alice"), "service-failed");
    let_commits_fail(0, 0);
    assert_true(
        catalog_must_ask(region.mount->catalog, &region.mount->view, &about_alice, "alice"));
    cloud_server_release(region.server);
    assert_done(region_refresh(&region, shares));
    assert_false(
        catalog_must_ask(region.mount->catalog, &region.mount->view, &about_alice, "alice"));
    assert_string_equal(mount_pins(region.mount, shares.image), "alice");
    assert_holds(mount_events(region.mount), " settled=made");
    region_close(&region);
}

static void a_list_that_the_store_cannot_take_was_not_heard(void **state)
{
    static const struct cloud_answer script[] = {REGION_LISTS,
                                                 {.body = ONE_PRIVATE, .to = TO_PRIVATE}};
    struct region region;

    open_listed(state, &region, script, COUNT_OF(script));
    watch_commits(&region);
    let_commits_fail(0, INT_MAX);
    assert_true(region_refresh(&region, (struct refresh){.image = 0}) < 0);
    assert_true(has_image(&region, "img-2"));
    let_commits_fail(0, 0);
    assert_done(region_refresh(&region, (struct refresh){.image = 0}));
    assert_false(has_image(&region, "img-2"));
    region_close(&region);
}

/* --- a cloud that is away --- */

/* Whether it is back is asked again and again. At first it is there and does not answer yet: the
 * question is closed, four times, which is as often as it is tried. */
static void a_cloud_that_was_away_is_heard_as_soon_as_it_is_back(void **state)
{
    static const struct cloud_answer script[] = {REGION_LISTS};
    static const struct cloud_answer later[] = {
        {.to = TO_PRIVATE, .way = CLOUD_CLOSE},  {.to = TO_PRIVATE, .way = CLOUD_CLOSE},
        {.to = TO_PRIVATE, .way = CLOUD_CLOSE},  {.to = TO_PRIVATE, .way = CLOUD_CLOSE},
        {.body = ONE_PRIVATE, .to = TO_PRIVATE}, {.body = REGION_SHARED, .to = TO_SHARED}};
    struct region region;
    char endpoint[64];

    region_open(state, &region, script, COUNT_OF(script), 0);
    assert_done(region_visit(&region, (struct refresh){.received = false}));
    (void)snprintf(endpoint, sizeof(endpoint), "%s", cloud_server_endpoint(region.server));
    cloud_server_free(region.server);
    region.options.endpoint = endpoint;
    region_mount_again(&region);
    assert_refused(region_refresh(&region, (struct refresh){.image = 0}), "service-closed");
    assert_holds(region_status(&region), "online: no: ECONNREFUSED: ");
    assert_true(has_image(&region, "img-2")); /* what is known is shown */
    region.server = cloud_server_new_at(endpoint, later, COUNT_OF(later));
    cloud_server_wait_for(region.server, TO_PRIVATE, 6); /* that it is there, and the list */
    assert_done(region_refresh(&region, (struct refresh){.image = 0}));
    assert_holds(region_status(&region), "online: yes\n");
    assert_false(has_image(&region, "img-2"));
    region_close(&region);
}

#define CLOUD_TEST(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLOUD_TEST(a_refresh_hears_a_list_that_began_after_it),
        CLOUD_TEST(a_refresh_of_shares_hears_members_that_were_asked_for_after_it),
        CLOUD_TEST(two_who_want_one_record_get_it_by_one_request),
        CLOUD_TEST(a_record_that_is_none_is_not_taken),
        CLOUD_TEST(an_image_that_goes_meanwhile_is_gone_for_all_who_asked_about_it),
        CLOUD_TEST(an_image_of_another_owner_is_another_image),
        CLOUD_TEST(a_change_that_no_list_shows_in_time_was_not_made),
        CLOUD_TEST(a_list_lags_behind_a_change_for_a_bounded_time),
        CLOUD_TEST(while_a_change_is_on_its_way_what_was_before_may_be_said),
        CLOUD_TEST(what_the_cloud_has_made_is_made_whatever_the_store_says),
        CLOUD_TEST(what_cannot_be_written_down_first_is_not_sent),
        CLOUD_TEST(an_outcome_that_nobody_knows_is_in_doubt_whatever_the_store_says),
        CLOUD_TEST(a_list_that_the_store_cannot_take_was_not_heard),
        CLOUD_TEST(a_cloud_that_was_away_is_heard_as_soon_as_it_is_back),
    };

    return cmocka_run_group_tests_name("jdcloud", tests, NULL, NULL);
}
