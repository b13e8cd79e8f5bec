/* Opening a region of JD Cloud: where its replica lies, whose it is, and one that cannot be written. */
#include "core/source/replica_reader.h"
#include "tests/unit/region.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define TO_PIN "describeUserPin"

static const struct cloud_answer lists[] = {REGION_LISTS};

static void open_listed(void **state, struct region *region)
{
    region_open(state, region, lists, COUNT_OF(lists), 0);
    assert_done(region_visit(region, (struct refresh){.received = false}));
    assert_done(region_visit(region, (struct refresh){.received = true}));
}

static void the_key_of_another_account_is_not_taken_for_this_ones(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct region region;

    open_listed(state, &region);
    region_unmount(&region);
    region.account = "alice";
    assert_int_equal(region_refuse(&region, &error), -EINVAL);
    assert_string_equal(buffer_text(&error), "account=alice: the key is owner's");
    region.account = NULL; /* it is known by now, and nobody is asked */
    region_mount(&region);
    assert_string_equal(region.mount->catalog->pin, "owner");
    assert_int_equal(cloud_server_asked(region.server, TO_PIN), 0);
    region_close(&region);
}

static void a_region_has_a_name_that_can_be_one(void **state)
{
    static const char *const names[] = {"",           "Cn-North-1",  "cn_north_1",  "cn-north-1/..",
                                        "cn north 1", "cn-north-1?", "\xe5\x8d\x8e"};
    struct region region;

    open_listed(state, &region);
    region_unmount(&region);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
        region.options.region = names[i];
        assert_int_equal(region_refuse(&region, &error), -EINVAL);
        assert_holds(buffer_text(&error), names[i][0] ? ": a region is " : "jdcloud: no region: ");
    }
    region_close(&region);
}

/* Nothing that the cloud says could be written down: it is not asked. */
static void a_replica_that_cannot_be_written_is_shown_and_no_more(void **state)
{
    struct region region;

    open_listed(state, &region);
    int64_t image = region_image(&region, "img-1");
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s", region.mount->catalog->store.path);
    region_unmount(&region);
    assert_int_equal(chmod(path, 0400), 0);
    int before = cloud_server_requests(region.server);
    region_mount(&region);
    assert_int_equal(region_image(&region, "img-1"), image);
    assert_done(region_visit(&region, (struct refresh){.received = false}));
    assert_refused(region_refresh(&region, (struct refresh){.image = 0}), "read-only");
    assert_refused(mount_share(region.mount, image, "alice"), "read-only");
    assert_holds(region_status(&region), "online: no: EROFS: ");
    assert_int_equal(cloud_server_requests(region.server), before);
    region_close(&region);
}

static void a_replica_lies_in_a_directory_of_its_user_alone(void **state)
{
    struct region region;
    char directory[PATH_MAX];
    struct stat status;

    open_listed(state, &region);
    (void)snprintf(directory, sizeof(directory), "%.*s/a/b", PATH_MAX - 64,
                   region.registry->directory);
    region.options.state = directory;
    region_mount_again(&region);
    const char *path = region.mount->catalog->store.path;
    assert_int_equal(strncmp(path, directory, strlen(directory)), 0);
    assert_holds(path, "/a/b/jdcloud-cn-north-1-");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stat(directory, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0700);
        *strrchr(directory, '/') = '\0';
    }
    (void)snprintf(directory, sizeof(directory), "%.*s/a/b", PATH_MAX - 64,
                   region.registry->directory);
    region_close(&region);
}

static void a_place_that_does_not_do_is_named(void **state)
{
    static const struct {
        const char *place; /* in the directory */
        mode_t mode;       /* of "above", which is there */
        int result;
        const char *words;
    } rows[] = {
        {"file/replicas", 0700, -ENOTDIR, "/file/replicas: Not a directory; name another place"},
        {"above/replicas", 0500, -EACCES, "/above/replicas: Permission denied; name another place"},
        {"above", 0777, -EPERM, "/above: another user can put files there"},
    };
    struct region region;

    open_listed(state, &region);
    region_unmount(&region);
    (void)registry_file(region.registry, "file", "");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
        char above[PATH_MAX];
        char place[PATH_MAX];
        (void)snprintf(above, sizeof(above), "%.*s/above", PATH_MAX - 64,
                       region.registry->directory);
        (void)snprintf(place, sizeof(place), "%.*s/%s", PATH_MAX - 64, region.registry->directory,
                       rows[i].place);
        (void)mkdir(above, 0700);
        assert_int_equal(chmod(above, rows[i].mode), 0);
        region.options.state = place;
        assert_int_equal(region_refuse(&region, &error), rows[i].result);
        assert_holds(buffer_text(&error), rows[i].words);
        assert_holds(buffer_text(&error), "state=DIR");
    }
    region_close(&region);
}

/* imgshare explain reads a replica that somebody else has mounted. */
static void what_is_no_replica_is_not_read_as_one(void **state)
{
    const struct registry *registry = *state;
    struct catalog_options options = {.path = registry->path, .open = replica_reader_open};
    struct catalog *catalog = NULL;
    struct region region;

    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    assert_int_equal(catalog_open(&options, &error, &catalog), -EINVAL);
    assert_holds(buffer_text(&error), "/registry: not the replica of a cloud");
    open_listed(state, &region);
    options.path = region.mount->catalog->store.path;
    options.account = "nobody";
    CLEANUP_BUFFER struct buffer other = BUFFER_INIT(4096);
    assert_int_equal(catalog_open(&options, &other, &catalog), -ENOENT);
    assert_holds(buffer_text(&other), "nobody");
    options.account = "owner";
    CLEANUP_BUFFER struct buffer none = BUFFER_INIT(4096);
    assert_done(catalog_open(&options, &none, &catalog));
    assert_false(catalog_is_writable(catalog));
    catalog_stop(catalog);
    catalog_close(catalog);
    region_close(&region);
}

#define OPEN_TEST(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN_TEST(the_key_of_another_account_is_not_taken_for_this_ones),
        OPEN_TEST(a_region_has_a_name_that_can_be_one),
        OPEN_TEST(a_replica_that_cannot_be_written_is_shown_and_no_more),
        OPEN_TEST(a_replica_lies_in_a_directory_of_its_user_alone),
        OPEN_TEST(a_place_that_does_not_do_is_named),
        cmocka_unit_test_setup_teardown(what_is_no_replica_is_not_read_as_one, registry_setup,
                                        registry_teardown),
    };

    obey_file_modes();
    return cmocka_run_group_tests_name("jdcloud_open", tests, NULL, NULL);
}
