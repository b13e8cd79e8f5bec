/* Where the user is at home. */
#include "core/base/home.h"
#include "tests/unit/support.h"

#include <pwd.h>
#include <string.h>

static void home_is(const char *variable, const char *expected)
{
    CLEANUP_BUFFER struct buffer home = BUFFER_INIT(4096);
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);

    assert_int_equal(variable ? setenv("HOME", variable, 1) : unsetenv("HOME"), 0);
    assert_int_equal(home_find(&home, &error), 0);
    assert_string_equal(buffer_text(&home), expected);
    assert_string_equal(buffer_text(&error), "");
}

static void the_variable_counts_where_it_is_a_whole_path(void **state)
{
    const struct passwd *user = getpwuid(getuid());

    (void)state;
    assert_non_null(user);
    CLEANUP_FREE char *known = strdup(user->pw_dir);
    assert_non_null(known);
    home_is("/somewhere/else", "/somewhere/else");
    home_is(NULL, known);
    home_is("", known);
    home_is("here", known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_variable_counts_where_it_is_a_whole_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
