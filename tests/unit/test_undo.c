/* What a log of events says was cancelled. */
#include "core/imgshare/undo.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>

#define DAY "2026-11-24T"

/* Reads LINES, separated by newlines, each behind a time: line 1 is at 08:01:00, and so on. */
static void read_lines(struct undo_log *log, const char *lines)
{
    CLEANUP_FREE char *copy = strdup(lines);
    char *rest = copy;
    int minute = 0;

    assert_non_null(copy);
    for (char *line = NULL; (line = strsep(&rest, "\n"));) {
        char text[512];
        (void)snprintf(text, sizeof(text), "time=" DAY "08:%02d:00.000000Z %s\n", ++minute, line);
        assert_int_equal(undo_read(log, text), 0);
    }
    assert_int_equal(undo_finish(log), 0);
}

static void assert_lost(const struct undo_log *log, const char *lost)
{
    char found[512] = "";

    for (size_t i = 0; i < log->lost_count; i++) {
        size_t length = strlen(found);
        (void)snprintf(found + length, sizeof(found) - length, "%s%s/%s", i > 0 ? " " : "",
                       log->lost[i].image, log->lost[i].pin);
    }
    assert_string_equal(found, lost);
}

#define CANCEL(image, pin, pid)                                                                    \
    "action=cancel image=" image " pin=" pin " outcome=done uid=0 pid=" pid " exe=/usr/bin/rm"
#define SHARE(image, pin, pid)                                                                     \
    "action=share image=" image " pin=" pin " outcome=done uid=0 pid=" pid " exe=/usr/bin/touch"

/* At each time since which is asked, and for each process. */
static void assert_log(const char *lines, const char *since, long pid, const char *lost)
{
    CLEANUP_UNDO struct undo_log log = {.choice = {.since_ns = INT64_MIN, .pid = pid}};

    if (since)
        assert_int_equal(undo_time(since, 0, &log.choice.since_ns), 0);
    read_lines(&log, lines);
    assert_lost(&log, lost);
}

static void cancels_are_lost_sorted_and_each_once(void **state)
{
    const char *lines = CANCEL("img-2", "bob", "7") "\n" CANCEL("img-1", "zoe", "7") "\n" CANCEL(
        "img-1", "alice", "8") "\n" CANCEL("img-1", "zoe", "9");

    (void)state;
    assert_log(lines, NULL, 0, "img-1/alice img-1/zoe img-2/bob");
}

static void the_choice_is_by_time_and_process(void **state)
{
    const char *lines =
        CANCEL("img-1", "a", "7") "\n" CANCEL("img-1", "b", "8") "\n" CANCEL("img-1", "c", "7");

    (void)state;
    assert_log(lines, NULL, 7, "img-1/a img-1/c");
    assert_log(lines, DAY "08:02:00Z", 0, "img-1/b img-1/c");
    assert_log(lines, DAY "08:02:00Z", 7, "img-1/c");
    assert_log(lines, DAY "08:03:01Z", 0, "");
    assert_log(lines, NULL, 77, "");
}

static void what_was_shared_again_is_not_lost(void **state)
{
    (void)state;
    assert_log(CANCEL("i", "a", "7") "\n" SHARE("i", "a", "8"), NULL, 0, "");
    assert_log(CANCEL("i", "a", "7") "\naction=appeared image=i pin=a outcome=done", NULL, 0, "");
    assert_log(SHARE("i", "a", "8") "\n" CANCEL("i", "a", "7"), NULL, 0, "i/a");
    assert_log(CANCEL("i", "a", "7") "\n" SHARE("i", "b", "8"), NULL, 0, "i/a");
    assert_log(CANCEL("i", "a", "7") "\n" SHARE("j", "a", "8"), NULL, 0, "i/a");
}

static void a_later_cancel_by_others_is_not_undone(void **state)
{
    const char *lines = CANCEL("i", "a", "7") "\n" SHARE("i", "a", "8") "\n" CANCEL("i", "a", "9");

    (void)state;
    assert_log(lines, NULL, 7, "");
    assert_log(lines, NULL, 9, "i/a");
    /* In a cloud a cancel may find that there is nothing to cancel. */
    assert_log(CANCEL("i", "a", "7") "\n" CANCEL("i", "a", "9"), NULL, 7, "i/a");
}

static void what_was_refused_and_what_is_no_cancel_is_passed_over(void **state)
{
    (void)state;
    assert_log("action=cancel image=i pin=a outcome=refused errno=EPERM code=cancel-off "
               "message=\"outcome=done\" uid=0 pid=7\n"
               "action=vanished image=i pin=b outcome=done\n"
               "action=mkdir image=i name=c outcome=done uid=0 pid=7\n"
               "action=import outcome=done images=1 new=1 shares=1 uid=0 pid=7\n"
               "action=cancel image=i pin=d outcome=done settled=made",
               NULL, 0, "i/d");
}

static void names_are_read_as_they_were(void **state)
{
    (void)state;
    assert_log("action=cancel image=i pin=\"a b\\\"c\" outcome=done uid=0 pid=7", NULL, 7,
               "i/a b\"c");
}

static void a_line_that_is_no_event_is_an_error(void **state)
{
    CLEANUP_UNDO struct undo_log log = {.choice = {.since_ns = INT64_MIN}};

    (void)state;
    assert_int_equal(undo_read(&log, "action=cancel image=i pin=a outcome=done\n"), -EINVAL);
    assert_int_equal(undo_read(&log, "time=" DAY "08:00:00Z action\n"), -EINVAL);
    assert_int_equal(undo_read(&log, "\n"), -EINVAL);
}

static void times_are_of_the_log_or_so_long_ago(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* before now */
    } good[] = {{"90s", 90}, {"10m", 600}, {"2h", 7200}, {"1d", 86400}, {"0s", 0}};
    static const char *const bad[] = {"",    "10",  "m",     "10x",         "-1m",
                                      "1mm", " 1m", "1h30m", "9999999999s", "2026-11-24"};
    const int64_t now = 1764000000LL * 1000000000LL;
    int64_t at_ns = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(undo_time(good[i].text, now, &at_ns), 0);
        assert_int_equal((now - at_ns) / 1000000000LL, good[i].seconds);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (undo_time(bad[i], now, &at_ns) != -EINVAL)
            fail_msg("\"%s\" was read", bad[i]);
    assert_int_equal(undo_time("2025-11-24T16:00:00Z", now, &at_ns), 0);
    assert_int_equal(at_ns, now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancels_are_lost_sorted_and_each_once),
        cmocka_unit_test(the_choice_is_by_time_and_process),
        cmocka_unit_test(what_was_shared_again_is_not_lost),
        cmocka_unit_test(a_later_cancel_by_others_is_not_undone),
        cmocka_unit_test(what_was_refused_and_what_is_no_cancel_is_passed_over),
        cmocka_unit_test(names_are_read_as_they_were),
        cmocka_unit_test(a_line_that_is_no_event_is_an_error),
        cmocka_unit_test(times_are_of_the_log_or_so_long_ago),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
