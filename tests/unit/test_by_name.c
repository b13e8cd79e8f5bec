/*
 * What images are called under by-name/: by their names where these are unique, else NAME@ID, and
 * every entry means one image.
 */
#include "core/catalog/by_name.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>

static int by_name_setup(void **state)
{
    (void)registry_setup(state);
    (void)registry_account(*state, "me", NULL);
    (void)registry_account(*state, "lab", NULL);
    return 0;
}

static int add_entry(const struct by_name_entry *entry, void *context)
{
    struct listing *listing = context;

    listing_add_name(listing, entry->row, entry->name);
    return listing->count == listing->most;
}

struct check {
    struct view *view;
    const char *owner;
    int count;
};

/* An entry that is listed is found by its name, and is the image that was listed. */
static int check_entry(const struct by_name_entry *entry, void *context)
{
    struct check *check = context;
    struct by_name_entry found;

    if (by_name_find(check->view, check->owner, entry->name, &found) < 0)
        fail_msg("%s is listed and not found", entry->name);
    assert_int_equal(found.row, entry->row);
    assert_string_equal(found.id, entry->id);
    assert_string_equal(found.name, entry->name);
    assert_true(text_is_file_name(entry->name));
    check->count++;
    return 0;
}

/* The entries that the account PIN sees of OWNER are NAMES. */
static void assert_names(void **state, const char *pin, const char *owner, const char *names)
{
    CLEANUP_LISTING struct listing listing = LISTING_INIT;
    struct mount *mount = mount_open(*state, pin);
    struct check check = {.view = &mount->view, .owner = owner};

    assert_done(by_name_list(&mount->view, owner, 0, add_entry, &listing));
    assert_string_equal(buffer_text(&listing.text), names);
    assert_done(by_name_list(&mount->view, owner, 0, check_entry, &check));
    assert_int_equal(check.count, listing.count);
    mount_close(mount);
}

/* Nothing is called NAME among the images of OWNER that PIN sees. */
static void assert_no_name(void **state, const char *pin, const char *owner, const char *name)
{
    struct mount *mount = mount_open(*state, pin);
    struct by_name_entry found;

    assert_refused(by_name_find(&mount->view, owner, name, &found), "ENOENT");
    mount_close(mount);
}

static void image(void **state, const char *id, const char *name)
{
    (void)REGISTRY_IMAGE(*state, .id = id, .owner = "me", .name = name);
}

static void a_name_that_is_unique_is_the_entry(void **state)
{
    image(state, "img-1", "golden");
    image(state, "img-2", "mysql-8.0");
    assert_names(state, "me", "me", "golden mysql-8.0");
    assert_no_name(state, "me", "me", "golden@img-1");
    assert_no_name(state, "me", "me", "img-1");
    assert_no_name(state, "me", "me", "@img-1");
    assert_no_name(state, "me", "me", "Golden");
    assert_no_name(state, "me", "me", "");
}

static void images_of_one_name_get_their_id_behind_it(void **state)
{
    image(state, "img-1", "ci");
    image(state, "img-2", "golden");
    image(state, "img-3", "ci");
    assert_names(state, "me", "me", "ci@img-1 golden ci@img-3");
    assert_no_name(state, "me", "me", "ci");
    assert_no_name(state, "me", "me", "ci@img-2");
    assert_no_name(state, "me", "me", "golden@img-2");
    image(state, "img-4", "ci");
    assert_names(state, "me", "me", "ci@img-1 golden ci@img-3 ci@img-4");
}

static void names_may_be_in_any_script_and_have_spaces(void **state)
{
    image(state, "img-1", "CentOS 8.2 64\xe4\xbd\x8d");
    image(state, "img-2", "\xe6\x95\xb0\xe6\x8d\xae");
    image(state, "img-3", "\xe6\x95\xb0\xe6\x8d\xae");
    assert_names(state, "me", "me",
                 "CentOS 8.2 64\xe4\xbd\x8d \xe6\x95\xb0\xe6\x8d\xae@img-2 "
                 "\xe6\x95\xb0\xe6\x8d\xae@img-3");
}

static void a_name_that_no_file_can_have_is_replaced_by_the_id(void **state)
{
    image(state, "img-1", "");
    image(state, "img-2", ".");
    image(state, "img-3", "..");
    image(state, "img-4", "web/2019");
    image(state, "img-5", "bad\xff");
    assert_names(state, "me", "me", "@img-1 @img-2 @img-3 @img-4 @img-5");
    assert_no_name(state, "me", "me", "web/2019");
    assert_no_name(state, "me", "me", "..");
}

static void a_name_with_an_at_sign_is_just_a_name(void **state)
{
    image(state, "img-1", "me@home");
    image(state, "img-2", "@");
    image(state, "img-3", "a@img-3"); /* reads as its own NAME@ID, and is its name */
    image(state, "img-4", "@img-4");
    assert_names(state, "me", "me", "me@home @ a@img-3 @img-4");
}

static void a_name_that_reads_as_another_images_entry_gets_its_own_id(void **state)
{
    image(state, "img-1", "ci");
    image(state, "img-2", "ci");
    image(state, "img-3", "ci@img-1");
    assert_names(state, "me", "me", "ci@img-1 ci@img-2 ci@img-1@img-3");
}

static void it_does_so_even_before_there_are_two_of_the_other_name(void **state)
{
    image(state, "img-1", "ci");
    image(state, "img-2", "ci@img-1");
    assert_names(state, "me", "me", "ci ci@img-1@img-2");
    assert_no_name(state, "me", "me", "ci@img-1");
}

static void a_name_that_reads_as_the_entry_of_a_nameless_image_gets_its_own_id(void **state)
{
    image(state, "img-1", "a/b");
    image(state, "img-2", "@img-1");
    assert_names(state, "me", "me", "@img-1 @img-1@img-2");
}

static void a_long_name_has_no_room_for_an_id_and_gives_way_to_it(void **state)
{
    char longest[VIEW_NAME_SIZE];
    char entry[2 * VIEW_NAME_SIZE];

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    image(state, "img-1", longest);
    assert_names(state, "me", "me", longest);
    image(state, "img-2", longest);
    assert_names(state, "me", "me", "@img-1 @img-2");

    /* One that leaves just enough room. */
    longest[sizeof(longest) - 1 - strlen("@img-3")] = '\0';
    image(state, "img-3", longest);
    image(state, "img-4", longest);
    (void)snprintf(entry, sizeof(entry), "%s@img-3", longest);
    struct mount *mount = mount_open(*state, "me");
    struct by_name_entry found;
    assert_done(by_name_find(&mount->view, "me", entry, &found));
    assert_string_equal(found.id, "img-3");
    mount_close(mount);
}

static void an_id_that_fills_a_whole_name_is_left_out(void **state)
{
    char id[VIEW_NAME_SIZE];

    memset(id, 'i', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    image(state, id, "a/b");
    image(state, "img-2", "golden");
    assert_names(state, "me", "me", "golden");
    image(state, "img-3", "a/b");
    assert_names(state, "me", "me", "golden @img-3");
    /* Of two of one name it is not found by that name either. */
    id[0] = 'j';
    image(state, id, "golden");
    assert_names(state, "me", "me", "golden@img-2 @img-3");
    assert_no_name(state, "me", "me", "golden");
}

static void names_of_other_owners_are_in_a_place_of_their_own(void **state)
{
    const struct registry *registry = *state;

    image(state, "img-1", "golden");
    int64_t theirs = REGISTRY_IMAGE(registry, .id = "img-2", .owner = "lab", .name = "golden");
    (void)REGISTRY_IMAGE(registry, .id = "img-3", .owner = "lab", .name = "golden");
    (void)registry_share(registry, theirs, "me");

    /* Theirs does not make mine ambiguous, and what they keep does not make theirs so. */
    assert_names(state, "me", "me", "golden");
    assert_names(state, "me", "lab", "golden");
    assert_names(state, "lab", "lab", "golden@img-2 golden@img-3");
    assert_names(state, "lab", "me", "");
    assert_no_name(state, "me", "lab", "golden@img-3");
    assert_no_name(state, "lab", "me", "golden");
}

static void what_an_owner_keeps_is_found_by_no_name(void **state)
{
    const struct registry *registry = *state;

    (void)REGISTRY_IMAGE(registry, .id = "img-1", .owner = "lab", .name = "secret");
    (void)REGISTRY_IMAGE(registry, .id = "img-2", .owner = "lab", .name = "a/b");
    assert_names(state, "me", "lab", "");
    assert_no_name(state, "me", "lab", "secret");
    assert_no_name(state, "me", "lab", "secret@img-1");
    assert_no_name(state, "me", "lab", "@img-1");
    assert_no_name(state, "me", "lab", "@img-2");

    /* Not even among others of its name. */
    for (int i = 3; i <= 4; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "img-%d", i);
        int64_t row = REGISTRY_IMAGE(registry, .id = id, .owner = "lab", .name = "secret");
        (void)registry_share(registry, row, "me");
    }
    assert_names(state, "me", "lab", "secret@img-3 secret@img-4");
    assert_no_name(state, "me", "lab", "secret@img-1");
}

static void an_owner_that_does_not_exist_has_no_names(void **state)
{
    struct mount *mount = mount_open(*state, "me");
    struct by_name_entry found;
    CLEANUP_LISTING struct listing listing = LISTING_INIT;

    assert_refused(by_name_find(&mount->view, "nobody", "golden", &found), "ENOENT");
    assert_refused(by_name_list(&mount->view, "nobody", 0, add_entry, &listing), "ENOENT");
    mount_close(mount);
}

static void the_list_read_in_steps_has_each_entry_once(void **state)
{
    CLEANUP_LISTING struct listing whole = LISTING_INIT;
    CLEANUP_LISTING struct listing parts = LISTING_INIT;
    int before = -1;

    for (int i = 0; i < 20; i++) {
        char id[16];
        char name[16];
        (void)snprintf(id, sizeof(id), "img-%02d", i);
        (void)snprintf(name, sizeof(name), "name%d", i % 15);
        image(state, id, name);
    }
    struct mount *mount = mount_open(*state, "me");
    assert_done(by_name_list(&mount->view, "me", 0, add_entry, &whole));
    assert_int_equal(whole.count, 20);
    while (parts.count > before) {
        before = parts.count;
        parts.most = before + 3;
        assert_done(by_name_list(&mount->view, "me", parts.last, add_entry, &parts));
    }
    assert_string_equal(buffer_text(&parts.text), buffer_text(&whole.text));
    mount_close(mount);
}

#define NAME_TEST(name) cmocka_unit_test_setup_teardown(name, by_name_setup, registry_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAME_TEST(a_name_that_is_unique_is_the_entry),
        NAME_TEST(images_of_one_name_get_their_id_behind_it),
        NAME_TEST(names_may_be_in_any_script_and_have_spaces),
        NAME_TEST(a_name_that_no_file_can_have_is_replaced_by_the_id),
        NAME_TEST(a_name_with_an_at_sign_is_just_a_name),
        NAME_TEST(a_name_that_reads_as_another_images_entry_gets_its_own_id),
        NAME_TEST(it_does_so_even_before_there_are_two_of_the_other_name),
        NAME_TEST(a_name_that_reads_as_the_entry_of_a_nameless_image_gets_its_own_id),
        NAME_TEST(a_long_name_has_no_room_for_an_id_and_gives_way_to_it),
        NAME_TEST(an_id_that_fills_a_whole_name_is_left_out),
        NAME_TEST(names_of_other_owners_are_in_a_place_of_their_own),
        NAME_TEST(what_an_owner_keeps_is_found_by_no_name),
        NAME_TEST(an_owner_that_does_not_exist_has_no_names),
        NAME_TEST(the_list_read_in_steps_has_each_entry_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
