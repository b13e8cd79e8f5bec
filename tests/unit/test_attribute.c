/* The attribute files of an image: what each of them says, to the letter. */
#include "core/catalog/attribute.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>

#define RECORD                                                                                     \
    "{\"imageId\":\"img-golden\",\"name\":\"golden\",\"desc\":\"the base of\\nevery server\","     \
    "\"platform\":\"CentOS\",\"osType\":\"linux\",\"osVersion\":\"8.2\","                          \
    "\"architecture\":\"x86_64\",\"sizeMB\":2494,\"systemDiskSizeGB\":40,"                         \
    "\"rootDeviceType\":\"cloudDisk\",\"createTime\":\"2021-01-28 16:49:05\","                     \
    "\"status\":\"ready\",\"ownerPin\":\"me\","                                                    \
    "\"systemDisk\":{\"cloudDisk\":{\"snapshotId\":\"snapshot-1\"}}}"

#define BARE "{\"imageId\":\"img-bare\",\"status\":\"ready\"}"

static int64_t golden, bare;
static struct mount *me, *alice;

static int cast_setup(void **state)
{
    (void)registry_setup(state);
    const struct registry *registry = *state;

    (void)registry_account(registry, "me", NULL);
    (void)registry_account(registry, "alice", NULL);
    (void)registry_account(registry, "bob", NULL);
    golden = REGISTRY_IMAGE(registry, .id = "img-golden", .owner = "me", .name = "golden",
                            .record = RECORD);
    bare = REGISTRY_IMAGE(registry, .id = "img-bare", .owner = "me", .name = "", .record = BARE);
    me = mount_open(registry, "me");
    alice = mount_open_as(registry, (struct catalog_options){
                                        .account = "alice",
                                        .trust = registry_file(registry, "trust", "me\n"),
                                    });
    return 0;
}

static int cast_teardown(void **state)
{
    mount_close(me);
    mount_close(alice);
    return registry_teardown(state);
}

/* The content of the attribute NAME of IMAGE. Valid until the next call. */
static const char *content(struct mount *mount, int64_t image, const char *name)
{
    static char text[1 << 16];
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(sizeof(text) - 1);
    const struct attribute *attribute = attribute_find(name);
    struct attribute_image opened;

    assert_non_null(attribute);
    assert_done(attribute_open(mount->catalog, &mount->view, image, &opened));
    assert_done(attribute_format(&opened, attribute, &out));
    attribute_close(&opened);
    (void)snprintf(text, sizeof(text), "%s", buffer_text(&out));
    return text;
}

/* All attributes that do not depend on the clock, as "name: content" lines, in the order of
 * listing. */
static const char *all_but_times(struct mount *mount, int64_t image)
{
    static char text[1 << 16];
    const struct attribute *attribute = NULL;
    struct view_image row;
    size_t length = 0;

    assert_done(view_image(&mount->view, image, &row));
    for (size_t i = 0; (attribute = attribute_at(i)); i++) {
        if ((attribute->shared_only && row.owned) || strcmp(attribute->name, "confirmed") == 0 ||
            strcmp(attribute->name, "notice") == 0)
            continue;
        const char *value = content(mount, image, attribute->name);
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s: %s%s",
                                   attribute->name, value, *value ? "" : "\n");
    }
    return text;
}

static void a_private_image(void **state)
{
    (void)state;
    assert_string_equal(all_but_times(me, golden), "id: img-golden\n"
                                                   "name: golden\n"
                                                   "status: available\n"
                                                   "description: the base of\\x0aevery server\n"
                                                   "platform: CentOS\n"
                                                   "os_type: linux\n"
                                                   "os_version: 8.2\n"
                                                   "architecture: x86_64\n"
                                                   "size_mb: 2494\n"
                                                   "system_disk_gb: 40\n"
                                                   "root_device: cloudDisk\n"
                                                   "snapshot: snapshot-1\n"
                                                   "created: 2021-01-28 16:49:05\n"
                                                   "owner: me\n"
                                                   "exposure: owner\n"
                                                   "shareable: yes\n"
                                                   "quota: 0/20\n"
                                                   "last_refusal: \n"
                                                   "image.json: " RECORD "\n");
}

static void a_shared_image(void **state)
{
    (void)registry_share(*state, golden, "alice");
    assert_string_equal(all_but_times(alice, golden),
                        "id: img-golden\n"
                        "name: golden\n"
                        "status: available\n"
                        "description: the base of\\x0aevery server\n"
                        "platform: CentOS\n"
                        "os_type: linux\n"
                        "os_version: 8.2\n"
                        "architecture: x86_64\n"
                        "size_mb: 2494\n"
                        "system_disk_gb: 40\n"
                        "root_device: cloudDisk\n"
                        "snapshot: snapshot-1\n"
                        "created: 2021-01-28 16:49:05\n"
                        "owner: me\n"
                        "exposure: \n" /* whom else it is shared with is the owner's business */
                        "shareable: no: EACCES: only the owner can share or cancel; a shared image "
                        "cannot be shared again\n"
                        "quota: \n"
                        "last_refusal: \n"
                        "image.json: " RECORD "\n"
                        "trusted: yes\n");
}

static void a_value_that_the_source_lacks_is_an_empty_file(void **state)
{
    (void)state;
    assert_string_equal(all_but_times(me, bare), "id: img-bare\n"
                                                 "name: \n"
                                                 "status: available\n"
                                                 "description: \n"
                                                 "platform: \n"
                                                 "os_type: \n"
                                                 "os_version: \n"
                                                 "architecture: \n"
                                                 "size_mb: \n"
                                                 "system_disk_gb: \n"
                                                 "root_device: \n"
                                                 "snapshot: \n"
                                                 "created: \n"
                                                 "owner: me\n"
                                                 "exposure: owner\n"
                                                 "shareable: yes\n"
                                                 "quota: 0/20\n"
                                                 "last_refusal: \n"
                                                 "image.json: " BARE "\n");
}

static void exposure_and_quota_follow_the_shares(void **state)
{
    (void)state;
    assert_done(mount_share(me, golden, "alice"));
    assert_string_equal(content(me, golden, "exposure"), "1 account\n");
    assert_string_equal(content(me, golden, "quota"), "1/20\n");
    assert_done(mount_share(me, golden, "bob"));
    assert_string_equal(content(me, golden, "exposure"), "2 accounts\n");
    assert_string_equal(content(me, golden, "quota"), "2/20\n");
    assert_done(mount_cancel(me, golden, "alice"));
    assert_done(mount_cancel(me, golden, "bob"));
    assert_string_equal(content(me, golden, "exposure"), "owner\n");
    assert_string_equal(content(me, golden, "quota"), "0/20\n");
}

/* Its shares/ is empty, and would mislead. */
static void a_released_image_is_exposed_to_everyone(void **state)
{
    const struct registry *registry = *state;
    int64_t hadoop = REGISTRY_IMAGE(registry, .id = "img-hadoop", .owner = "me", .released = true);

    assert_string_equal(content(me, hadoop, "exposure"), "everyone\n");
    assert_string_equal(content(me, hadoop, "shareable"),
                        "no: EOPNOTSUPP: the image is released to everyone and cannot be shared "
                        "with single accounts\n");
    (void)registry_share(registry, hadoop, "alice");
    assert_string_equal(content(alice, hadoop, "exposure"), "everyone\n");
}

static void shareable_says_why_not(void **state)
{
    const struct registry *registry = *state;
    const struct {
        struct sample sample;
        const char *status;
        const char *shareable;
    } rows[] = {
        {{.id = "img-1", .status = IMAGE_PENDING},
         "pending\n",
         "no: EBUSY: the image is pending; only an available image can be shared\n"},
        {{.id = "img-2", .status = IMAGE_DELETING},
         "deleting\n",
         "no: EOPNOTSUPP: the image is being deleted; it will not become available\n"},
        {{.id = "img-3", .status = IMAGE_ERROR},
         "error\n",
         "no: EOPNOTSUPP: the image is in error; it will not become available\n"},
        {{.id = "img-4", .snapshots = IMAGE_HAS_SNAPSHOT},
         "available\n",
         "no: EOPNOTSUPP: the image references a snapshot and cannot be shared\n"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sample sample = rows[i].sample;
        sample.owner = "me";
        int64_t image = registry_image(registry, &sample);
        assert_string_equal(content(me, image, "status"), rows[i].status);
        assert_string_equal(content(me, image, "shareable"), rows[i].shareable);
    }
    registry_share_many(registry, golden, "team", 20);
    assert_string_equal(content(me, golden, "shareable"),
                        "no: EDQUOT: the image is shared with as many accounts as it may be\n");
    registry_sql(registry, "UPDATE setting SET value = '21' WHERE name = 'limit'");
    assert_string_equal(content(me, golden, "shareable"), "yes\n");
    assert_string_equal(content(me, golden, "quota"), "20/21\n");
}

static void the_last_refusal_tells_time_call_name_reason_and_what_to_do(void **state)
{
    char time[TEXT_TIME_SIZE] = "";
    int64_t ns = 0;

    (void)state;
    assert_refused(mount_share(me, golden, "dave"), "no-account");
    const char *text = content(me, golden, "last_refusal");
    assert_int_equal(sscanf(text, "%39s", time), 1);
    assert_done(text_time_parse(time, &ns));
    assert_in_range(text_now() - ns, 0, 5000000000);
    assert_string_equal(text + strlen(time),
                        " share dave: ENXIO: JD Cloud account does not exist. What to do: check "
                        "the User Pin: its owner finds it in the user center, or in account/pin of "
                        "a mount.\n");
    assert_refused(mount_share(me, golden, "two\x1bwords"), "pin-invalid");
    assert_holds(content(me, golden, "last_refusal"), " share two\\x1bwords: EINVAL: ");
    assert_string_equal(content(me, bare, "last_refusal"), "");
}

static void a_registry_confirms_its_shares_at_any_time(void **state)
{
    char time[TEXT_TIME_SIZE] = "";
    int64_t ns = 0;

    (void)state;
    assert_int_equal(sscanf(content(me, golden, "confirmed"), "%39s", time), 1);
    assert_done(text_time_parse(time, &ns));
    assert_in_range(text_now() - ns, 0, 5000000000);
}

static void a_shared_image_is_trusted_if_its_owner_is_on_the_list(void **state)
{
    const struct registry *registry = *state;
    int64_t theirs = REGISTRY_IMAGE(registry, .id = "img-theirs", .owner = "bob");

    (void)registry_share(registry, theirs, "alice");
    (void)registry_share(registry, theirs, "me");
    (void)registry_share(registry, golden, "alice");
    assert_string_equal(content(alice, golden, "trusted"), "yes\n");
    assert_string_equal(content(alice, theirs, "trusted"), "no\n");
    assert_string_equal(content(me, theirs, "trusted"), "no\n"); /* without a list nobody is */
}

static void the_notice_warns_of_images_of_others(void **state)
{
    (void)registry_share(*state, golden, "alice");
    const char *notice = content(alice, golden, "notice");
    assert_holds(notice, "Nobody guarantees its\nintegrity or its security");
    assert_holds(notice, "only from sources that you trust");
    assert_holds(notice, "To use it:");
    assert_string_equal(notice + strlen(notice) - 2, ".\n");
}

static void what_others_put_into_a_record_cannot_steer_a_terminal(void **state)
{
    const struct registry *registry = *state;
    int64_t evil =
        REGISTRY_IMAGE(registry, .id = "img-evil", .owner = "me", .name = "golden\x1b[2J",
                       .record = "{\"desc\":\"\\u001b[2J\\u009b2J\",\"osType\":7,"
                                 "\"platform\":null,\"sizeMB\":\"12\"}");

    assert_string_equal(content(me, evil, "name"), "golden\\x1b[2J\n");
    assert_string_equal(content(me, evil, "description"), "\\x1b[2J\\xc2\\x9b2J\n");
    assert_string_equal(content(me, evil, "os_type"), "7\n");
    assert_string_equal(content(me, evil, "platform"), "");
    assert_string_equal(content(me, evil, "size_mb"), "12\n");
}

static void a_record_that_is_no_json_is_a_damaged_store(void **state)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1024);
    const struct registry *registry = *state;
    int64_t broken =
        REGISTRY_IMAGE(registry, .id = "img-broken", .owner = "me", .record = "{\"desc\":");
    struct attribute_image opened;

    assert_done(attribute_open(me->catalog, &me->view, broken, &opened));
    assert_refused(attribute_format(&opened, attribute_find("description"), &out), "store-damaged");
    assert_refused(attribute_format(&opened, attribute_find("snapshot"), &out), "store-damaged");
    assert_done(attribute_format(&opened, attribute_find("id"), &out));
    attribute_close(&opened);
    assert_string_equal(buffer_text(&out), "img-broken\n");
}

static void an_attribute_that_does_not_fit_is_an_error_and_not_cut(void **state)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(8);
    struct attribute_image opened;

    (void)state;
    assert_done(attribute_open(me->catalog, &me->view, golden, &opened));
    assert_refused(attribute_format(&opened, attribute_find("image.json"), &out), "ENOMEM");
    attribute_close(&opened);
}

static void an_image_that_is_not_seen_has_no_attributes(void **state)
{
    struct attribute_image opened;

    (void)state;
    assert_refused(attribute_open(alice->catalog, &alice->view, golden, &opened), "ENOENT");
    assert_refused(attribute_open(me->catalog, &me->view, 999, &opened), "ENOENT");
}

/* Numbers are part of inode numbers: a released one never means another attribute. */
static void an_attribute_keeps_its_number(void **state)
{
    static const char *const numbers[] = {
        "id",           "name",         "status",   "description",    "platform",    "os_type",
        "os_version",   "architecture", "size_mb",  "system_disk_gb", "root_device", "snapshot",
        "created",      "owner",        "exposure", "shareable",      "quota",       "confirmed",
        "last_refusal", "image.json",   "trusted",  "notice",
    };

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(numbers); i++) {
        const struct attribute *attribute = attribute_by_number(i);
        assert_non_null(attribute);
        assert_string_equal(attribute->name, numbers[i]);
        assert_ptr_equal(attribute_find(numbers[i]), attribute);
        assert_ptr_equal(attribute_at(i), attribute);
        assert_true(attribute->number < ATTRIBUTE_NUMBERS);
    }
    assert_null(attribute_at(COUNT_OF(numbers)));
    assert_null(attribute_by_number(COUNT_OF(numbers)));
    assert_null(attribute_by_number(ATTRIBUTE_NUMBERS));
    assert_null(attribute_find("shares"));
}

static void what_follows_shares_and_lists_is_not_cached_by_the_kernel(void **state)
{
    static const char *const derived[] = {
        "status", "exposure", "shareable", "quota", "confirmed", "last_refusal", "trusted",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(derived); i++)
        assert_true(attribute_find(derived[i])->derived);
}

#define ATTRIBUTE_TEST(name) cmocka_unit_test_setup_teardown(name, cast_setup, cast_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ATTRIBUTE_TEST(a_private_image),
        ATTRIBUTE_TEST(a_shared_image),
        ATTRIBUTE_TEST(a_value_that_the_source_lacks_is_an_empty_file),
        ATTRIBUTE_TEST(exposure_and_quota_follow_the_shares),
        ATTRIBUTE_TEST(a_released_image_is_exposed_to_everyone),
        ATTRIBUTE_TEST(shareable_says_why_not),
        ATTRIBUTE_TEST(the_last_refusal_tells_time_call_name_reason_and_what_to_do),
        ATTRIBUTE_TEST(a_registry_confirms_its_shares_at_any_time),
        ATTRIBUTE_TEST(a_shared_image_is_trusted_if_its_owner_is_on_the_list),
        ATTRIBUTE_TEST(the_notice_warns_of_images_of_others),
        ATTRIBUTE_TEST(what_others_put_into_a_record_cannot_steer_a_terminal),
        ATTRIBUTE_TEST(a_record_that_is_no_json_is_a_damaged_store),
        ATTRIBUTE_TEST(an_attribute_that_does_not_fit_is_an_error_and_not_cut),
        ATTRIBUTE_TEST(an_image_that_is_not_seen_has_no_attributes),
        ATTRIBUTE_TEST(an_attribute_keeps_its_number),
        ATTRIBUTE_TEST(what_follows_shares_and_lists_is_not_cached_by_the_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
