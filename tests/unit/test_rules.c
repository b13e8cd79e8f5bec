/*
 * The rules: when an image can be shared, and when a share can be cancelled.
 *
 * Each test takes a case in which everything is well and spoils one thing.
 */
#include "core/rules/rules.h"

#include "core/rules/refusal.h"
#include "tests/unit/support.h"

#include <errno.h>

/* An available image of one's own, to be shared with somebody who exists. */
static const struct rules_share good_share = {
    .image = {.owned = true, .status = IMAGE_READY, .policy = SNAPSHOTS_ANY, .limit = 20},
    .pin = "alice",
    .account_exists = true,
    .allow = ALLOW_NO_LIST,
};

static const struct rules_cancel good_cancel = {.owned = true, .shared = true};

static void an_available_image_is_shared_with_an_account_that_exists(void **state)
{
    (void)state;
    assert_done(rules_share(&good_share));
    assert_done(rules_image(&good_share.image));
}

static void each_thing_that_is_wrong_has_its_own_refusal(void **state)
{
    const struct rules_share good = good_share;
    struct {
        const char *code;
        struct rules_share share;
    } rows[] = {
        {"not-owner", good},      {"pin-invalid", good},    {"pin-leftover", good},
        {"own-pin", good},        {"pin-unlisted", good},   {"image-released", good},
        {"image-pending", good},  {"image-deleting", good}, {"image-error", good},
        {"image-snapshot", good}, {"no-account", good},     {"mobile-number", good},
        {"image-limit", good},
    };

    (void)state;
    rows[0].share.image.owned = false;
    rows[1].share.pin = "two words";
    rows[2].share.pin = "alice.tmp";
    rows[3].share.own_pin = true;
    rows[4].share.allow = ALLOW_UNLISTED;
    rows[5].share.image.released = true;
    rows[6].share.image.status = IMAGE_PENDING;
    rows[7].share.image.status = IMAGE_DELETING;
    rows[8].share.image.status = IMAGE_ERROR;
    rows[9].share.image.snapshots = IMAGE_HAS_SNAPSHOT;
    rows[10].share.account_exists = false;
    rows[11].share.account_exists = false;
    rows[11].share.mobile_number = true;
    rows[12].share.image.shares = 20;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_refused(rules_share(&rows[i].share), rows[i].code);
}

/* What the caller can do least about is said first; each row has all that follow it wrong, too. */
static void of_several_things_that_are_wrong_the_first_is_said(void **state)
{
    struct rules_share share = {
        .image = {.owned = false,
                  .status = IMAGE_PENDING,
                  .released = true,
                  .snapshots = IMAGE_HAS_SNAPSHOT | IMAGE_HAS_ENCRYPTED,
                  .shares = 20,
                  .limit = 20},
        .pin = "alice.tmp",
        .own_pin = true,
        .allow = ALLOW_UNLISTED,
    };

    (void)state;
    assert_refused(rules_share(&share), "not-owner");
    share.image.owned = true;
    assert_refused(rules_share(&share), "pin-leftover");
    share.pin = "alice";
    assert_refused(rules_share(&share), "own-pin");
    share.own_pin = false;
    assert_refused(rules_share(&share), "pin-unlisted");
    share.allow = ALLOW_LISTED;
    assert_refused(rules_share(&share), "image-released");
    share.image.released = false;
    assert_refused(rules_share(&share), "image-pending");
    share.image.status = IMAGE_READY;
    assert_refused(rules_share(&share), "image-snapshot");
    share.image.policy = SNAPSHOTS_ENCRYPTED;
    assert_refused(rules_share(&share), "image-encrypted");
    share.image.policy = SNAPSHOTS_NONE;
    assert_refused(rules_share(&share), "no-account");
    share.account_exists = true;
    assert_refused(rules_share(&share), "image-limit");
    share.image.shares = 19;
    assert_done(rules_share(&share));
}

static void a_share_that_is_there_is_success_whatever_else_holds(void **state)
{
    struct rules_share share = good_share;

    (void)state;
    share.shared = true;
    assert_int_equal(rules_share(&share), 1);
    share.image.status = IMAGE_ERROR;
    share.image.snapshots = IMAGE_HAS_ENCRYPTED;
    share.image.released = true;
    share.image.shares = 25;
    share.allow = ALLOW_UNLISTED;
    share.pin = "alice.tmp";
    assert_int_equal(rules_share(&share), 1);
}

static void who_asks_for_a_new_share_is_told_that_it_is_there(void **state)
{
    struct rules_share share = good_share;

    (void)state;
    share.exclusive = true;
    assert_done(rules_share(&share));
    share.shared = true;
    assert_refused(rules_share(&share), "already-shared");
}

static void the_allow_list_lets_through_what_looks_like_no_pin(void **state)
{
    struct rules_share share = good_share;

    (void)state;
    share.pin = "alice.tmp";
    assert_refused(rules_share(&share), "pin-leftover");
    share.allow = ALLOW_LISTED;
    assert_done(rules_share(&share));
    share.pin = "two words";
    assert_done(rules_share(&share));
    /* But no other rule bends to it. */
    share.own_pin = true;
    assert_refused(rules_share(&share), "own-pin");
    share.own_pin = false;
    share.account_exists = false;
    assert_refused(rules_share(&share), "no-account");
}

static void a_pin_that_exists_is_that_pin_even_if_it_is_a_mobile_number_too(void **state)
{
    struct rules_share share = good_share;

    (void)state;
    share.pin = "13800138000";
    share.mobile_number = true;
    assert_done(rules_share(&share));
}

static void the_snapshot_policy_says_which_images_stay_at_home(void **state)
{
    static const struct {
        enum snapshot_policy policy;
        unsigned snapshots;
        const char *code;
    } rows[] = {
        {SNAPSHOTS_ANY, 0, NULL},
        {SNAPSHOTS_ANY, IMAGE_HAS_SNAPSHOT, "image-snapshot"},
        {SNAPSHOTS_ANY, IMAGE_HAS_SNAPSHOT | IMAGE_HAS_ENCRYPTED, "image-snapshot"},
        {SNAPSHOTS_ENCRYPTED, 0, NULL},
        {SNAPSHOTS_ENCRYPTED, IMAGE_HAS_SNAPSHOT, NULL},
        {SNAPSHOTS_ENCRYPTED, IMAGE_HAS_SNAPSHOT | IMAGE_HAS_ENCRYPTED, "image-encrypted"},
        {SNAPSHOTS_NONE, IMAGE_HAS_SNAPSHOT, NULL},
        {SNAPSHOTS_NONE, IMAGE_HAS_SNAPSHOT | IMAGE_HAS_ENCRYPTED, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rules_share share = good_share;
        share.image.policy = rows[i].policy;
        share.image.snapshots = rows[i].snapshots;
        assert_result(rules_share(&share), rows[i].code, __FILE__, __LINE__);
        assert_result(rules_image(&share.image), rows[i].code, __FILE__, __LINE__);
    }
}

static void the_last_free_place_can_be_taken_and_no_more(void **state)
{
    struct rules_share share = good_share;

    (void)state;
    share.image.limit = 3;
    share.image.shares = 2;
    assert_done(rules_share(&share));
    assert_done(rules_image(&share.image));
    share.image.shares = 3;
    assert_refused(rules_share(&share), "image-limit");
    assert_refused(rules_image(&share.image), "image-limit");
    share.image.shares = 4; /* the limit was lowered */
    assert_refused(rules_share(&share), "image-limit");
    share.image.limit = 0;
    share.image.shares = 0;
    assert_refused(rules_share(&share), "image-limit");
}

static void a_status_of_a_later_time_is_not_taken_for_available(void **state)
{
    struct rules_image image = good_share.image;

    (void)state;
    image.status = (enum image_status)7;
    assert_refused(rules_image(&image), "image-error");
}

static void what_the_image_says_of_itself_is_what_sharing_it_would_meet(void **state)
{
    struct rules_image image = good_share.image;

    (void)state;
    image.owned = false;
    image.released = true;
    image.status = IMAGE_DELETING;
    image.shares = 20;
    assert_refused(rules_image(&image), "not-owner");
    image.owned = true;
    assert_refused(rules_image(&image), "image-released");
    image.released = false;
    assert_refused(rules_image(&image), "image-deleting");
    image.status = IMAGE_READY;
    assert_refused(rules_image(&image), "image-limit");
    image.shares = 0;
    assert_done(rules_image(&image));
}

static void the_owner_cancels_a_share(void **state)
{
    (void)state;
    assert_done(rules_cancel(&good_cancel));
}

static void of_several_reasons_not_to_cancel_the_first_is_said(void **state)
{
    struct rules_cancel cancel = {
        .owned = false, .shared = false, .cancel_off = true, .recursive = true, .over_limit = true};

    (void)state;
    assert_refused(rules_cancel(&cancel), "not-owner");
    cancel.owned = true;
    assert_refused(rules_cancel(&cancel), "not-shared");
    cancel.shared = true;
    assert_refused(rules_cancel(&cancel), "cancel-off");
    cancel.cancel_off = false;
    assert_refused(rules_cancel(&cancel), "cancel-recursive");
    cancel.recursive = false;
    assert_refused(rules_cancel(&cancel), "cancel-limit");
    cancel.over_limit = false;
    assert_done(rules_cancel(&cancel));
}

static void no_case_of_a_cancel_gives_what_rm_f_takes_for_success(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 32; bits++) {
        struct rules_cancel cancel = {
            .owned = bits & 1,
            .shared = (bits & 2) != 0,
            .cancel_off = (bits & 4) != 0,
            .recursive = (bits & 8) != 0,
            .over_limit = (bits & 16) != 0,
        };
        int result = rules_cancel(&cancel);
        int error = refusal_errno(result);
        assert_true(result <= 0);
        assert_true(error != EINVAL && error != EILSEQ && error != ENOTDIR);
        if (error == ENOENT)
            assert_false(cancel.shared);
    }
}

static void the_words_of_the_policies_are_read_and_shown(void **state)
{
    static const struct {
        const char *word;
        enum snapshot_policy policy;
    } rows[] = {
        {"any", SNAPSHOTS_ANY}, {"encrypted", SNAPSHOTS_ENCRYPTED}, {"none", SNAPSHOTS_NONE}};
    enum snapshot_policy policy = SNAPSHOTS_ANY;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_done(rules_policy_parse(rows[i].word, &policy));
        assert_int_equal(policy, rows[i].policy);
        assert_string_equal(rules_policy_name(policy), rows[i].word);
    }
    assert_refused(rules_policy_parse("ANY", &policy), "EINVAL");
    assert_refused(rules_policy_parse("", &policy), "EINVAL");
}

static void the_apis_status_is_shown_in_the_consoles_word(void **state)
{
    static const struct {
        const char *api;
        const char *console;
        enum image_status status;
    } rows[] = {
        {"ready", "available", IMAGE_READY},
        {"pending", "pending", IMAGE_PENDING},
        {"deleting", "deleting", IMAGE_DELETING},
        {"error", "error", IMAGE_ERROR},
    };
    enum image_status status = IMAGE_ERROR;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_done(rules_status_parse(rows[i].api, &status));
        assert_int_equal(status, rows[i].status);
        assert_string_equal(rules_status_name(status), rows[i].console);
    }
    assert_refused(rules_status_parse("available", &status), "EINVAL");
    assert_refused(rules_status_parse("", &status), "EINVAL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_available_image_is_shared_with_an_account_that_exists),
        cmocka_unit_test(each_thing_that_is_wrong_has_its_own_refusal),
        cmocka_unit_test(of_several_things_that_are_wrong_the_first_is_said),
        cmocka_unit_test(a_share_that_is_there_is_success_whatever_else_holds),
        cmocka_unit_test(who_asks_for_a_new_share_is_told_that_it_is_there),
        cmocka_unit_test(the_allow_list_lets_through_what_looks_like_no_pin),
        cmocka_unit_test(a_pin_that_exists_is_that_pin_even_if_it_is_a_mobile_number_too),
        cmocka_unit_test(the_snapshot_policy_says_which_images_stay_at_home),
        cmocka_unit_test(the_last_free_place_can_be_taken_and_no_more),
        cmocka_unit_test(a_status_of_a_later_time_is_not_taken_for_available),
        cmocka_unit_test(what_the_image_says_of_itself_is_what_sharing_it_would_meet),
        cmocka_unit_test(the_owner_cancels_a_share),
        cmocka_unit_test(of_several_reasons_not_to_cancel_the_first_is_said),
        cmocka_unit_test(no_case_of_a_cancel_gives_what_rm_f_takes_for_success),
        cmocka_unit_test(the_words_of_the_policies_are_read_and_shown),
        cmocka_unit_test(the_apis_status_is_shown_in_the_consoles_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
