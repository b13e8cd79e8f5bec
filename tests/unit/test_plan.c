/* Plans: the difference of lists, and what stands against it. */
#include "core/imgshare/plan.h"

#include "tests/unit/support.h"

#include <string.h>

static const struct plan_bounds anything = {.cancels = 1000};

/* An image that is shared with the pins NOW, and shall be with the pins THEN. */
static struct plan_image *add(struct plan *plan, const char *id, const char *now, const char *then)
{
    struct plan_image *image = plan_add(plan, id, "name");

    assert_non_null(image);
    names_fill(&image->now, now);
    names_fill(&image->then, then);
    image->used = (int64_t)image->now.count;
    return image;
}

static void assert_plan(struct plan *plan, const struct plan_bounds *bounds, const char *lines,
                        const char *problems)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(4096);

    assert_int_equal(plan_finish(plan, bounds), 0);
    plan_print(plan, &out);
    assert_string_equal(buffer_text(&out), lines);
    assert_string_equal(buffer_text(&plan->problems), problems);
}

static void the_difference_is_sorted_by_image_and_pin_shares_first(void **state)
{
    CLEANUP_PLAN struct plan plan = PLAN_INIT;

    (void)state;
    (void)add(&plan, "img-2", "bob carol", "zoe bob alice");
    (void)add(&plan, "img-1", "", "dave");
    (void)add(&plan, "img-3", "alice", "alice");
    assert_plan(&plan, &anything,
                "+ share img-1 (name) dave\n"
                "+ share img-2 (name) alice\n"
                "+ share img-2 (name) zoe\n"
                "- cancel img-2 (name) carol\n",
                "");
    assert_int_equal(plan.shares, 3);
    assert_int_equal(plan.cancels, 1);
}

static void names_and_pins_cannot_break_a_line(void **state)
{
    CLEANUP_PLAN struct plan plan = PLAN_INIT;
    struct plan_image *image = plan_add(&plan, "img-1", "a\nb");

    (void)state;
    assert_non_null(image);
    assert_int_equal(names_add(&image->then, "x\ny"), 0);
    assert_plan(&plan, &anything, "+ share img-1 (a\\x0ab) x\\x0ay\n", "");
}

static void the_limit_counts_what_is_left(void **state)
{
    static const struct {
        const char *now, *then;
        bool refused;
    } cases[] = {
        {"a b", "a b c", false},    {"a b c", "a b c d", true}, {"a b c", "d e f", false},
        {"a b c", "a d e f", true}, {"a b c", "a", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP_PLAN struct plan plan = PLAN_INIT;
        add(&plan, "img-1", cases[i].now, cases[i].then)->limit = 3;
        assert_int_equal(plan_finish(&plan, &anything), 0);
        assert_string_equal(
            buffer_text(&plan.problems),
            cases[i].refused ? "img-1 (name): would be shared with 4 accounts, and 3 are allowed\n"
                             : "");
    }
}

static void who_cannot_be_listed_counts(void **state)
{
    CLEANUP_PLAN struct plan plan = PLAN_INIT;
    struct plan_image *image = add(&plan, "img-1", "a", "a b");

    (void)state;
    image->limit = 2;
    image->used = 2;
    assert_plan(&plan, &anything, "+ share img-1 (name) b\n",
                "img-1 (name): would be shared with 3 accounts, and 2 are allowed\n");
}

static void an_unknown_limit_is_the_sources_business(void **state)
{
    CLEANUP_PLAN struct plan plan = PLAN_INIT;

    (void)state;
    add(&plan, "img-1", "a", "a b")->limit = 0;
    assert_plan(&plan, &anything, "+ share img-1 (name) b\n", "");
}

static void an_image_that_cannot_be_shared_can_be_cancelled(void **state)
{
    CLEANUP_PLAN struct plan plan = PLAN_INIT;

    (void)state;
    add(&plan, "img-1", "a", "b")->obstacle = strdup("EBUSY: pending");
    add(&plan, "img-2", "a", "")->obstacle = strdup("EBUSY: pending");
    assert_plan(&plan, &anything,
                "+ share img-1 (name) b\n- cancel img-1 (name) a\n- cancel img-2 (name) a\n",
                "img-1 (name): cannot be shared: EBUSY: pending\n");
}

static void cancels_are_bounded(void **state)
{
    static const struct {
        struct plan_bounds bounds;
        const char *problems;
    } cases[] = {
        {{.cancels = 3}, ""},
        {{.cancels = 2},
         "3 cancels, and --max-cancel allows 2; if they are meant: --max-cancel 3\n"},
        {{.cancels = 3, .mount_cancels = 2}, ""},
        {{.cancels = 3, .mount_cancels = 1},
         "img-1 (name): 2 cancels, and this mount allows a process 1 of one image in a minute "
         "(maxcancel)\n"},
        {{.cancels = 3, .no_cancel = true},
         "img-1 (name): this mount does not cancel shares (nocancel)\n"
         "img-2 (name): this mount does not cancel shares (nocancel)\n"},
        {{.cancels = 3, .read_only = true}, "the mount or its store is read-only\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP_PLAN struct plan plan = PLAN_INIT;
        (void)add(&plan, "img-1", "a b c", "c");
        (void)add(&plan, "img-2", "a", "");
        assert_int_equal(plan_finish(&plan, &cases[i].bounds), 0);
        assert_string_equal(buffer_text(&plan.problems), cases[i].problems);
    }
}

static void no_bound_forbids_a_plan_without_changes(void **state)
{
    const struct plan_bounds bounds = {
        .read_only = true, .no_cancel = true, .mount_cancels = 1, .cancels = 0};
    CLEANUP_PLAN struct plan plan = PLAN_INIT;
    struct plan_image *image = add(&plan, "img-1", "a", "a");

    (void)state;
    image->obstacle = strdup("EBUSY: pending");
    image->limit = 1;
    assert_plan(&plan, &bounds, "", "");
}

static void an_image_has_one_list(void **state)
{
    CLEANUP_PLAN struct plan plan = PLAN_INIT;

    (void)state;
    add(&plan, "img-1", "a", "a b")->list = strdup("d/web");
    add(&plan, "img-1", "a", "c")->list = strdup("d/img-1");
    assert_int_equal(plan_finish(&plan, &anything), 0);
    assert_string_equal(buffer_text(&plan.problems),
                        "img-1 (name): has two lists: d/img-1 and d/web\n");
}

static void what_is_unsettled_is_no_ground_for_a_plan(void **state)
{
    CLEANUP_PLAN struct plan plan = PLAN_INIT;

    (void)state;
    add(&plan, "img-1", "a", "a")->unsettled = true;
    assert_int_equal(plan_finish(&plan, &anything), 0);
    assert_holds(buffer_text(&plan.problems),
                 "img-1 (name): a change of it has an unknown outcome");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_difference_is_sorted_by_image_and_pin_shares_first),
        cmocka_unit_test(names_and_pins_cannot_break_a_line),
        cmocka_unit_test(the_limit_counts_what_is_left),
        cmocka_unit_test(who_cannot_be_listed_counts),
        cmocka_unit_test(an_unknown_limit_is_the_sources_business),
        cmocka_unit_test(an_image_that_cannot_be_shared_can_be_cancelled),
        cmocka_unit_test(cancels_are_bounded),
        cmocka_unit_test(no_bound_forbids_a_plan_without_changes),
        cmocka_unit_test(an_image_has_one_list),
        cmocka_unit_test(what_is_unsettled_is_no_ground_for_a_plan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
