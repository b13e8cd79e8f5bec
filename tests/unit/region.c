/* A region for the tests of the JD Cloud source: see the header. */
#include "tests/unit/region.h"

#include "core/base/container.h"
#include "core/catalog/report.h"

#include <stdlib.h>
#include <string.h>

#define LONG_S 30

static struct catalog_options options_of(struct region *region, struct buffer *warnings)
{
    assert_int_equal(setenv("JDCLOUD_ACCESS_KEY", "AKEXAMPLE", 1), 0);
    assert_int_equal(setenv("JDCLOUD_SECRET_KEY", "SKEXAMPLE", 1), 0);
    return (struct catalog_options){
        .open = jdcloud_open,
        .cloud = &region->options,
        .account = region->account,
        .warnings = warnings,
    };
}

void region_mount(struct region *region)
{
    CLEANUP_BUFFER struct buffer warnings = BUFFER_INIT(4096);

    region->mount = mount_open_as(region->registry, options_of(region, &warnings));
    assert_string_equal(buffer_text(&warnings), "");
}

int region_refuse(struct region *region, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer warnings = BUFFER_INIT(4096);
    const struct catalog_options options = options_of(region, &warnings);
    struct catalog *catalog = NULL;
    int result = catalog_open(&options, error, &catalog);

    assert_null(catalog);
    return result;
}

void region_open(void **state, struct region *region, const struct cloud_answer *script,
                 size_t count, int64_t timeout_s)
{
    *region = (struct region){
        .registry = *state,
        .account = "owner",
        .server = cloud_server_new(script, count),
    };
    region->options = (struct jdcloud_options){
        .region = "cn-north-1",
        .state = region->registry->directory,
        .endpoint = cloud_server_endpoint(region->server),
        .refresh_s = 3600,
        .timeout_s = timeout_s > 0 ? timeout_s : LONG_S,
    };
    region_mount(region);
}

void region_close(struct region *region)
{
    if (region->mount)
        mount_close(region->mount);
    cloud_server_free(region->server);
}

void region_unmount(struct region *region)
{
    mount_close(region->mount);
    region->mount = NULL;
}

void region_mount_again(struct region *region)
{
    region_unmount(region);
    region_mount(region);
}

static int64_t find_image(struct region *region, enum view_scope scope, const char *id)
{
    struct view_image image = {0};

    assert_done(view_image_by_id(&region->mount->view, scope, id, &image));
    return image.row;
}

int64_t region_image(struct region *region, const char *id)
{
    return find_image(region, VIEW_PRIVATE, id);
}

int64_t region_received(struct region *region, const char *id)
{
    return find_image(region, VIEW_SHARED, id);
}

static void wish_done(struct refresh *refresh, int result)
{
    struct wish *wish = CONTAINER_OF(refresh, struct wish, refresh);

    wish->result = result;
    wish->times_done++;
    (void)sem_post(&wish->ended);
}

static void begin(struct wish *wish, struct refresh refresh)
{
    *wish = (struct wish){.refresh = refresh};
    wish->refresh.done = wish_done;
    assert_int_equal(sem_init(&wish->ended, 0, 0), 0);
}

void wish_refresh(struct region *region, struct wish *wish, struct refresh refresh)
{
    begin(wish, refresh);
    catalog_refresh(region->mount->catalog, &wish->refresh);
}

void wish_visit(struct region *region, struct wish *wish, struct refresh refresh)
{
    struct source *source = &region->mount->catalog->source;

    begin(wish, refresh);
    source->ops->visit(source, &region->mount->view, &wish->refresh);
}

int wish_end(struct wish *wish)
{
    semaphore_wait(&wish->ended);
    assert_int_equal(wish->times_done, 1);
    (void)sem_destroy(&wish->ended);
    return wish->result;
}

int region_refresh(struct region *region, struct refresh refresh)
{
    struct wish wish;

    wish_refresh(region, &wish, refresh);
    return wish_end(&wish);
}

int region_visit(struct region *region, struct refresh refresh)
{
    struct wish wish;

    wish_visit(region, &wish, refresh);
    return wish_end(&wish);
}

const char *region_status(struct region *region)
{
    static char status[1 << 16];
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(sizeof(status) - 1);

    assert_done(report_status(region->mount->catalog, &region->mount->view, &out));
    (void)snprintf(status, sizeof(status), "%s", buffer_text(&out));
    return status;
}
