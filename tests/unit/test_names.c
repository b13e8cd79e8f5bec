/* Sets of names. */
#include "core/base/names.h"

#include "tests/unit/support.h"

#include <string.h>

static void assert_names(const struct names *names, const char *text)
{
    char found[256] = "";

    for (size_t i = 0; i < names->count; i++) {
        size_t length = strlen(found);
        (void)snprintf(found + length, sizeof(found) - length, "%s%s", i > 0 ? " " : "",
                       names->items[i]);
    }
    assert_string_equal(found, text);
}

static void a_set_is_in_the_order_of_bytes_and_has_each_once(void **state)
{
    CLEANUP_NAMES struct names names = {0};

    (void)state;
    names_fill(&names, "bob alice Zoe alice 10 9 bob");
    assert_names(&names, "10 9 Zoe alice bob");
    assert_true(names_has(&names, "Zoe"));
    assert_false(names_has(&names, "zoe"));
    assert_false(names_has(&names, ""));
}

static void an_empty_set_has_nothing(void **state)
{
    CLEANUP_NAMES struct names names = {0};

    (void)state;
    names_sort(&names);
    assert_false(names_has(&names, "alice"));
    assert_int_equal(names.count, 0);
}

static void minus_keeps_what_the_other_does_not_have(void **state)
{
    static const struct {
        const char *from, *without, *rest;
    } cases[] = {
        {"alice bob carol", "bob dave", "alice carol"},
        {"alice", "alice", ""},
        {"alice bob", "", "alice bob"},
        {"", "alice", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP_NAMES struct names from = {0};
        CLEANUP_NAMES struct names without = {0};
        CLEANUP_NAMES struct names rest = {0};
        names_fill(&from, cases[i].from);
        names_fill(&without, cases[i].without);
        assert_int_equal(names_minus(&from, &without, &rest), 0);
        assert_names(&rest, cases[i].rest);
    }
}

static void sets_are_compared_name_by_name(void **state)
{
    CLEANUP_NAMES struct names one = {0};
    CLEANUP_NAMES struct names same = {0};
    CLEANUP_NAMES struct names longer = {0};
    CLEANUP_NAMES struct names other = {0};

    (void)state;
    names_fill(&one, "alice bob");
    names_fill(&same, "bob alice");
    names_fill(&longer, "alice bob carol");
    names_fill(&other, "alice carol");
    assert_int_equal(names_compare(&one, &same), 0);
    assert_true(names_compare(&one, &longer) < 0);
    assert_true(names_compare(&longer, &one) > 0);
    assert_true(names_compare(&longer, &other) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_in_the_order_of_bytes_and_has_each_once),
        cmocka_unit_test(an_empty_set_has_nothing),
        cmocka_unit_test(minus_keeps_what_the_other_does_not_have),
        cmocka_unit_test(sets_are_compared_name_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
