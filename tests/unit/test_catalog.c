/*
 * Changes: what happens when somebody shares an image or cancels a share, and that nothing happens
 * when it is refused.
 *
 * The account is "me"; alice and bob are others, and carol is one whose mobile number people know.
 */
#include "core/catalog/catalog.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

static int64_t golden, theirs;
static struct mount *me;

static int cast_setup(void **state)
{
    (void)registry_setup(state);
    const struct registry *registry = *state;

    (void)registry_account(registry, "me", NULL);
    (void)registry_account(registry, "alice", NULL);
    (void)registry_account(registry, "bob", NULL);
    (void)registry_account(registry, "carol", "13800138000");
    (void)registry_account(registry, "lab", NULL);
    golden = REGISTRY_IMAGE(registry, .id = "img-golden", .owner = "me", .name = "golden");
    theirs = REGISTRY_IMAGE(registry, .id = "img-theirs", .owner = "lab");
    me = mount_open(registry, "me");
    return 0;
}

static int cast_teardown(void **state)
{
    mount_close(me);
    return registry_teardown(state);
}

/* Mounts once more for "me", otherwise than the tests have it as a rule. */
static struct mount *mount_with(void **state, struct catalog_options options)
{
    options.account = "me";
    return mount_open_as(*state, options);
}

/* --- what is done --- */

static void a_share_is_there_as_soon_as_it_is_answered(void **state)
{
    struct request request = request_of(CHANGE_SHARE, golden, "alice");
    struct view_share share;
    struct view_image image;
    int64_t before = text_now();
    struct mount *alice = mount_open(*state, "alice");

    assert_done(request_run(me, &request));
    assert_done(view_share_by_pin(&me->view, golden, "alice", &share));
    assert_int_equal(share.row, request.change.share);
    assert_int_equal(share.created_ns, request.change.created_ns);
    assert_true(share.created_ns >= before && share.created_ns <= text_now());
    assert_done(view_image_by_id(&alice->view, VIEW_SHARED, "img-golden", &image));
    mount_close(alice);
}

static void a_cancel_is_done_as_soon_as_it_is_answered(void **state)
{
    struct view_share share;
    struct view_image image;
    struct mount *alice = mount_open(*state, "alice");

    assert_done(mount_share(me, golden, "alice"));
    assert_done(mount_cancel(me, golden, "alice"));
    assert_refused(view_share_by_pin(&me->view, golden, "alice", &share), "ENOENT");
    assert_refused(view_image_by_id(&alice->view, VIEW_SHARED, "img-golden", &image), "ENOENT");
    mount_close(alice);
}

static void a_share_that_is_there_is_success_and_stays_as_it_is(void **state)
{
    struct request first = request_of(CHANGE_SHARE, golden, "alice");
    struct request again = request_of(CHANGE_SHARE, golden, "alice");

    assert_done(request_run(me, &first));
    CLEANUP_FREE char *before = registry_dump(*state);
    int64_t lines = registry_number(*state, "SELECT count(*) FROM event");
    assert_done(request_run(me, &again));
    assert_int_equal(again.change.share, first.change.share);
    assert_int_equal(again.change.created_ns, first.change.created_ns);
    CLEANUP_FREE char *after = registry_dump(*state);
    assert_string_equal(after, before);
    assert_int_equal(registry_number(*state, "SELECT count(*) FROM event"), lines);
}

static void who_asks_for_a_new_share_gets_one_once(void **state)
{
    struct request first = request_of(CHANGE_SHARE, golden, "alice");
    struct request again = request_of(CHANGE_SHARE, golden, "alice");

    (void)state;
    first.change.exclusive = true;
    again.change.exclusive = true;
    assert_done(request_run(me, &first));
    assert_refused(request_run(me, &again), "already-shared");
}

static void counters_follow_every_share_and_cancel(void **state)
{
    static const struct {
        bool share;
        const char *pin;
        int shares, alice, bob;
    } steps[] = {
        {true, "alice", 1, 1, 0},  {true, "bob", 2, 1, 1},  {true, "alice", 2, 1, 1},
        {false, "alice", 1, 0, 1}, {false, "bob", 0, 0, 0}, {true, "bob", 1, 0, 1},
    };
    const struct registry *registry = *state;

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        assert_done(steps[i].share ? mount_share(me, golden, steps[i].pin)
                                   : mount_cancel(me, golden, steps[i].pin));
        assert_int_equal(registry_number(registry, "SELECT shares FROM image WHERE id = %lld",
                                         (long long)golden),
                         steps[i].shares);
        assert_int_equal(registry_number(registry, "SELECT count(*) FROM share"), steps[i].shares);
        assert_int_equal(
            registry_number(registry, "SELECT received FROM account WHERE pin = 'alice'"),
            steps[i].alice);
        assert_int_equal(
            registry_number(registry, "SELECT received FROM account WHERE pin = 'bob'"),
            steps[i].bob);
        assert_int_equal(registry_number(registry, "SELECT sum(images) FROM recipient"),
                         steps[i].shares);
    }
}

/* A kernel that sees the same mtime keeps a stale listing: it must rise, whatever the clock does.
 */
static void directory_times_rise_with_every_change_even_if_the_clock_went_back(void **state)
{
    static const char *const times[] = {
        "SELECT shares_ns FROM image WHERE image_id = 'img-golden'",
        "SELECT recipients_ns FROM account WHERE pin = 'me'",
        "SELECT received_ns FROM account WHERE pin = 'alice'",
        "SELECT owners_ns FROM account WHERE pin = 'alice'",
        "SELECT changed_ns FROM recipient WHERE pin = 'alice'",
    };
    const struct registry *registry = *state;
    int64_t before[COUNT_OF(times)];
    int64_t future = text_now() + 3600 * 1000000000LL;

    assert_done(mount_share(me, golden, "alice"));
    registry_sql(registry, "UPDATE image SET shares_ns = %lld", (long long)future);
    registry_sql(registry,
                 "UPDATE account SET recipients_ns = %lld, received_ns = %lld, owners_ns = %lld",
                 (long long)future, (long long)future, (long long)future);
    registry_sql(registry, "UPDATE recipient SET changed_ns = %lld", (long long)future);
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < COUNT_OF(times); i++)
            before[i] = registry_number(registry, "%s", times[i]);
        assert_done(round % 2 ? mount_share(me, golden, "alice")
                              : mount_cancel(me, golden, "alice"));
        for (size_t i = 0; i < COUNT_OF(times); i++)
            if (registry_number(registry, "%s", times[i]) <= before[i])
                fail_msg("%s did not rise", times[i]);
    }
}

static void a_directory_time_changes_only_where_membership_does(void **state)
{
    const struct registry *registry = *state;
    int64_t mysql = REGISTRY_IMAGE(registry, .id = "img-mysql", .owner = "me");

    assert_done(mount_share(me, golden, "alice"));
    int64_t recipients =
        registry_number(registry, "SELECT recipients_ns FROM account WHERE pin = 'me'");
    int64_t owners = registry_number(registry, "SELECT owners_ns FROM account WHERE pin = 'alice'");
    int64_t bobs = registry_number(registry, "SELECT received_ns FROM account WHERE pin = 'bob'");
    int64_t mine = registry_number(registry, "SELECT private_ns FROM account WHERE pin = 'me'");
    int64_t shares =
        registry_number(registry, "SELECT shares_ns FROM image WHERE image_id = 'img-golden'");

    /* alice is in by-account/ already, and me in her by-name/shared/. */
    assert_done(mount_share(me, mysql, "alice"));
    assert_int_equal(
        registry_number(registry, "SELECT recipients_ns FROM account WHERE pin = 'me'"),
        recipients);
    assert_int_equal(registry_number(registry, "SELECT owners_ns FROM account WHERE pin = 'alice'"),
                     owners);
    assert_int_equal(registry_number(registry, "SELECT received_ns FROM account WHERE pin = 'bob'"),
                     bobs);
    assert_int_equal(registry_number(registry, "SELECT private_ns FROM account WHERE pin = 'me'"),
                     mine);
    assert_int_equal(
        registry_number(registry, "SELECT shares_ns FROM image WHERE image_id = 'img-golden'"),
        shares);
}

static void a_share_that_is_made_again_is_another_one(void **state)
{
    int64_t last = 0;

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct request request = request_of(CHANGE_SHARE, golden, "alice");
        assert_done(request_run(me, &request));
        assert_true(request.change.share > last); /* or its inode number would come back */
        last = request.change.share;
        assert_done(mount_cancel(me, golden, "alice"));
    }
}

static void other_mounts_are_told_what_was_done_and_by_whom(void **state)
{
    const struct registry *registry = *state;

    assert_done(mount_share(me, golden, "alice"));
    assert_done(mount_cancel(me, golden, "alice"));
    assert_refused(mount_cancel(me, golden, "alice"), "not-shared");
    assert_int_equal(registry_number(registry, "SELECT count(*) FROM feed"), 2);
    for (int kind = 1; kind <= 2; kind++)
        assert_int_equal(
            registry_number(registry,
                            "SELECT count(*) FROM feed WHERE id = %d AND kind = %d AND first = "
                            "%lld AND last = first AND pin = 'alice' AND writer = %lld",
                            kind, kind, (long long)golden, (long long)me->catalog->mount_id),
            1);
    struct mount *again = mount_open(registry, "me");
    assert_true(again->catalog->mount_id != me->catalog->mount_id);
    assert_true(again->catalog->mount_id != 0);
    mount_close(again);
}

/* --- what is refused --- */

static void every_refused_share_leaves_everything_as_it_was(void **state)
{
    const struct registry *registry = *state;
    const struct {
        const char *code;
        const char *pin;
        struct sample image;
    } rows[] = {
        {"image-pending", "alice", {.id = "img-1", .status = IMAGE_PENDING}},
        {"image-deleting", "alice", {.id = "img-2", .status = IMAGE_DELETING}},
        {"image-error", "alice", {.id = "img-3", .status = IMAGE_ERROR}},
        {"image-snapshot", "alice", {.id = "img-4", .snapshots = IMAGE_HAS_SNAPSHOT}},
        {"image-released", "alice", {.id = "img-5", .released = true}},
        {"no-account", "dave", {.id = "img-6"}},
        {"no-account", "Alice", {.id = "img-7"}},
        {"mobile-number", "13800138000", {.id = "img-8"}},
        {"own-pin", "me", {.id = "img-9"}},
        {"pin-invalid", "two words", {.id = "img-10"}},
        {"pin-invalid", ".alice.Xy12Zw", {.id = "img-11"}},
        {"pin-leftover", "sedXy12Zw", {.id = "img-12"}},
        {"not-owner", "alice", {.id = "img-13", .owner = "lab"}},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sample sample = rows[i].image;
        sample.owner = sample.owner ? sample.owner : "me";
        int64_t image = registry_image(registry, &sample);
        CLEANUP_FREE char *before = registry_dump(registry);
        assert_refused(mount_share(me, image, rows[i].pin), rows[i].code);
        CLEANUP_FREE char *after = registry_dump(registry);
        assert_string_equal(after, before);
    }
}

static void every_refused_cancel_leaves_everything_as_it_was(void **state)
{
    const struct registry *registry = *state;

    (void)registry_share(registry, golden, "alice");
    (void)registry_share(registry, theirs, "me");
    CLEANUP_FREE char *before = registry_dump(registry);
    struct mount *careful = mount_with(state, (struct catalog_options){.no_cancel = true});
    assert_refused(mount_cancel(careful, golden, "alice"), "cancel-off");
    assert_refused(mount_cancel(me, golden, "bob"), "not-shared");
    assert_refused(mount_cancel(me, golden, "two words"), "not-shared");
    assert_refused(mount_cancel(me, theirs, "me"), "not-owner");
    assert_refused(mount_cancel(me, 999, "alice"), "image-gone");
    assert_refused(mount_share(me, 999, "alice"), "image-gone");
    CLEANUP_FREE char *after = registry_dump(registry);
    assert_string_equal(after, before);
    mount_close(careful);
}

static void the_registrys_settings_decide(void **state)
{
    const struct registry *registry = *state;
    int64_t plain =
        REGISTRY_IMAGE(registry, .id = "img-s", .owner = "me", .snapshots = IMAGE_HAS_SNAPSHOT);
    int64_t locked = REGISTRY_IMAGE(registry, .id = "img-e", .owner = "me",
                                    .snapshots = IMAGE_HAS_SNAPSHOT | IMAGE_HAS_ENCRYPTED);

    assert_refused(mount_share(me, plain, "alice"), "image-snapshot");
    registry_sql(registry, "UPDATE setting SET value = 'encrypted' WHERE name = 'snapshots'");
    assert_done(mount_share(me, plain, "alice"));
    assert_refused(mount_share(me, locked, "alice"), "image-encrypted");
    registry_sql(registry, "UPDATE setting SET value = 'none' WHERE name = 'snapshots'");
    assert_done(mount_share(me, locked, "alice"));
    registry_sql(registry, "UPDATE setting SET value = '1' WHERE name = 'limit'");
    assert_refused(mount_share(me, plain, "bob"), "image-limit");
}

static void whatever_the_source_lists_can_be_cancelled(void **state)
{
    static const char *const pins[] = {"alice.tmp", ".hidden", "two words", "-rf", "$HOME"};
    const struct registry *registry = *state;
    int64_t broken =
        REGISTRY_IMAGE(registry, .id = "img-broken", .owner = "me", .status = IMAGE_ERROR);

    for (size_t i = 0; i < COUNT_OF(pins); i++) {
        (void)registry_account(registry, pins[i], NULL);
        (void)registry_share(registry, broken, pins[i]);
        assert_done(mount_cancel(me, broken, pins[i]));
    }
}

static void a_digit_string_that_is_a_pin_is_that_pin(void **state)
{
    const struct registry *registry = *state;

    assert_refused(mount_share(me, golden, "13800138000"), "mobile-number");
    (void)registry_account(registry, "13800138000", NULL);
    assert_done(mount_share(me, golden, "13800138000"));
}

static void who_received_an_image_can_neither_share_nor_cancel_it(void **state)
{
    const struct registry *registry = *state;

    (void)registry_share(registry, golden, "alice");
    (void)registry_share(registry, golden, "bob");
    struct mount *alice = mount_open(registry, "alice");
    CLEANUP_FREE char *before = registry_dump(registry);
    assert_refused(mount_share(alice, golden, "carol"), "not-owner");
    assert_refused(mount_cancel(alice, golden, "alice"), "not-owner");
    assert_refused(mount_cancel(alice, golden, "bob"), "not-owner");
    /* A share that alice does not see: success would tell her of it. */
    assert_refused(mount_share(alice, golden, "bob"), "not-owner");
    assert_refused(mount_share(alice, golden, "dave"), "not-owner");
    /* Her own share is there. */
    assert_done(mount_share(alice, golden, "alice"));
    CLEANUP_FREE char *after = registry_dump(registry);
    assert_string_equal(after, before);
    mount_close(alice);
}

/* --- the limit --- */

static void the_limit_counts_what_import_brought_too(void **state)
{
    registry_share_many(*state, golden, "team", 20);
    assert_refused(mount_share(me, golden, "alice"), "image-limit");
    assert_done(mount_share(me, golden, "team07")); /* shared already */
    assert_done(mount_cancel(me, golden, "team07"));
    assert_done(mount_share(me, golden, "alice"));
    assert_refused(mount_share(me, golden, "team07"), "image-limit");
}

struct contender {
    pthread_t thread;
    pthread_barrier_t *start;
    struct mount *mount;
    const char *pin;
    int result;
};

static void *contend(void *context)
{
    struct contender *contender = context;

    (void)pthread_barrier_wait(contender->start);
    contender->result = mount_share(contender->mount, golden, contender->pin);
    return NULL;
}

static void of_two_mounts_that_take_the_last_place_at_once_one_gets_it(void **state)
{
    pthread_barrier_t start;
    struct mount *second = mount_open(*state, "me");
    struct contender contenders[] = {
        {.start = &start, .mount = me, .pin = "alice"},
        {.start = &start, .mount = second, .pin = "bob"},
    };

    registry_share_many(*state, golden, "team", 19);
    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&contenders[i].thread, NULL, contend, &contenders[i]),
                             0);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_join(contenders[i].thread, NULL), 0);
        size_t winner = contenders[0].result == 0 ? 0 : 1;
        assert_done(contenders[winner].result);
        assert_refused(contenders[1 - winner].result, "image-limit");
        assert_int_equal(registry_number(*state, "SELECT count(*) FROM share"), 20);
        assert_done(mount_cancel(me, golden, contenders[winner].pin));
    }
    (void)pthread_barrier_destroy(&start);
    mount_close(second);
}

/* --- what a mount was asked for --- */

static void the_allow_list_binds_sharing_and_never_cancelling(void **state)
{
    const struct registry *registry = *state;
    const char *path = registry_file(registry, "allow", "alice\n.odd\n");

    (void)registry_account(registry, ".odd", NULL);
    (void)registry_share(registry, golden, "bob");
    struct mount *mount = mount_with(state, (struct catalog_options){.allow = path});
    assert_done(mount_share(mount, golden, "alice"));
    assert_refused(mount_share(mount, golden, "carol"), "pin-unlisted");
    assert_done(mount_share(mount, golden, "bob")); /* is there already */
    assert_done(mount_share(mount, golden, ".odd"));
    assert_done(mount_cancel(mount, golden, "bob"));
    assert_refused(mount_share(mount, golden, "bob"), "pin-unlisted");
    mount_close(mount);
}

static int cancel_by(struct mount *mount, pid_t process, int64_t image, const char *pin)
{
    struct request request = request_of(CHANGE_CANCEL, image, pin);

    request.change.caller.process = process;
    return request_run(mount, &request);
}

static void one_process_cancels_as_many_shares_of_an_image_as_maxcancel_says(void **state)
{
    const struct registry *registry = *state;
    int64_t mysql = REGISTRY_IMAGE(registry, .id = "img-mysql", .owner = "me");
    struct mount *mount = mount_with(state, (struct catalog_options){.max_cancel = 2});

    registry_share_many(registry, golden, "team", 5);
    (void)registry_share(registry, mysql, "team01");
    assert_done(cancel_by(mount, 100, golden, "team01"));
    assert_refused(cancel_by(mount, 100, golden, "nobody"), "not-shared"); /* counts for nothing */
    assert_done(cancel_by(mount, 100, golden, "team02"));
    assert_refused(cancel_by(mount, 100, golden, "team03"), "cancel-limit");
    assert_refused(cancel_by(mount, 100, golden, "team03"), "cancel-limit");
    assert_done(cancel_by(mount, 100, mysql, "team01"));
    assert_done(cancel_by(mount, 101, golden, "team03"));
    assert_string_equal(mount_pins(mount, golden), "team04 team05");
    mount_close(mount);
}

static void a_process_in_a_recursive_delete_cancels_nothing_there(void **state)
{
    const struct registry *registry = *state;

    (void)registry_share(registry, golden, "alice");
    guard_refused(&me->catalog->guard, 100, golden, text_now());
    assert_refused(cancel_by(me, 100, golden, "alice"), "cancel-recursive");
    assert_string_equal(mount_pins(me, golden), "alice");
    assert_done(cancel_by(me, 101, golden, "alice"));
}

static bool always(struct change *change)
{
    (void)change;
    return true;
}

static void what_was_interrupted_before_it_began_is_not_begun(void **state)
{
    struct request request = request_of(CHANGE_SHARE, golden, "alice");
    CLEANUP_FREE char *before = registry_dump(*state);

    request.change.interrupted = always;
    assert_refused(request_run(me, &request), "interrupted");
    CLEANUP_FREE char *after = registry_dump(*state);
    assert_string_equal(after, before);
}

static void a_call_that_the_tree_does_not_know_gets_its_own_refusal(void **state)
{
    CLEANUP_FREE char *before = registry_dump(*state);

    assert_refused(mount_refuse(me, "mkdir", golden, "New Folder", REFUSAL_TREE_CREATE),
                   "tree-create");
    assert_refused(mount_refuse(me, "rename", 0, "README", REFUSAL_TREE_RENAME), "tree-rename");
    CLEANUP_FREE char *after = registry_dump(*state);
    assert_string_equal(after, before);
}

static void a_registry_has_all_there_is(void **state)
{
    const struct refresh where = {.image = golden, .shares = true, .pin = "alice"};
    int64_t valid_ns = 0;

    (void)state;
    assert_false(catalog_must_ask(me->catalog, &me->view, &where, "alice"));
    assert_done(catalog_doubt(me->catalog, &me->view, golden, "alice", &valid_ns));
    assert_true(valid_ns > 0);
}

static void a_store_that_cannot_be_written_is_a_read_only_mount(void **state)
{
    const struct registry *registry = *state;

    (void)registry_share(registry, golden, "alice");
    assert_true(catalog_is_writable(me->catalog));
    assert_int_equal(chmod(registry->path, 0444), 0);
    struct mount *mount = mount_with(state, (struct catalog_options){.no_cancel = false});
    assert_false(catalog_is_writable(mount->catalog));
    assert_string_equal(mount_pins(mount, golden), "alice");
    assert_refused(mount_share(mount, golden, "bob"), "read-only");
    assert_refused(mount_cancel(mount, golden, "alice"), "read-only");
    assert_refused(mount_refuse(mount, "mkdir", golden, "x", REFUSAL_TREE_CREATE), "tree-create");
    assert_string_equal(mount_pins(mount, golden), "alice");
    mount_close(mount);
}

#define CHANGE_TEST(name) cmocka_unit_test_setup_teardown(name, cast_setup, cast_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHANGE_TEST(a_share_is_there_as_soon_as_it_is_answered),
        CHANGE_TEST(a_cancel_is_done_as_soon_as_it_is_answered),
        CHANGE_TEST(a_share_that_is_there_is_success_and_stays_as_it_is),
        CHANGE_TEST(who_asks_for_a_new_share_gets_one_once),
        CHANGE_TEST(counters_follow_every_share_and_cancel),
        CHANGE_TEST(directory_times_rise_with_every_change_even_if_the_clock_went_back),
        CHANGE_TEST(a_directory_time_changes_only_where_membership_does),
        CHANGE_TEST(a_share_that_is_made_again_is_another_one),
        CHANGE_TEST(other_mounts_are_told_what_was_done_and_by_whom),
        CHANGE_TEST(every_refused_share_leaves_everything_as_it_was),
        CHANGE_TEST(every_refused_cancel_leaves_everything_as_it_was),
        CHANGE_TEST(the_registrys_settings_decide),
        CHANGE_TEST(whatever_the_source_lists_can_be_cancelled),
        CHANGE_TEST(a_digit_string_that_is_a_pin_is_that_pin),
        CHANGE_TEST(who_received_an_image_can_neither_share_nor_cancel_it),
        CHANGE_TEST(the_limit_counts_what_import_brought_too),
        CHANGE_TEST(of_two_mounts_that_take_the_last_place_at_once_one_gets_it),
        CHANGE_TEST(the_allow_list_binds_sharing_and_never_cancelling),
        CHANGE_TEST(one_process_cancels_as_many_shares_of_an_image_as_maxcancel_says),
        CHANGE_TEST(a_process_in_a_recursive_delete_cancels_nothing_there),
        CHANGE_TEST(what_was_interrupted_before_it_began_is_not_begun),
        CHANGE_TEST(a_call_that_the_tree_does_not_know_gets_its_own_refusal),
        CHANGE_TEST(a_registry_has_all_there_is),
        CHANGE_TEST(a_store_that_cannot_be_written_is_a_read_only_mount),
    };

    obey_file_modes();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
