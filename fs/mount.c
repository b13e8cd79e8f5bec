/* A mount: see the header. */
#include "fs/mount.h"

#include "core/base/text.h"
#include "core/rules/refusal.h"

#include <errno.h>

int tally_init(struct tally *tally)
{
    *tally = (struct tally){.entries = NULL};
    return -pthread_mutex_init(&tally->mutex, NULL);
}

void tally_dispose(struct tally *tally)
{
    free(STEAL(tally->entries));
    (void)pthread_mutex_destroy(&tally->mutex);
}

/* Under the mutex. */
static struct tally_entry *tally_find(struct tally *tally, uint64_t key)
{
    for (size_t i = 0; i < tally->count; i++)
        if (tally->entries[i].key == key)
            return &tally->entries[i];
    return NULL;
}

int tally_add(struct tally *tally, uint64_t key, int64_t time_ns)
{
    LOCK_SCOPE(&tally->mutex);
    struct tally_entry *entry = tally_find(tally, key);

    if (entry) {
        entry->count++;
        return 0;
    }
    if (tally->count == tally->size) {
        size_t size = tally->size ? tally->size * 2 : 32;
        struct tally_entry *entries = realloc(tally->entries, size * sizeof(*entries));
        if (!entries)
            return -ENOMEM;
        tally->entries = entries;
        tally->size = size;
    }
    tally->entries[tally->count++] =
        (struct tally_entry){.key = key, .count = 1, .time_ns = time_ns};
    return 0;
}

void tally_remove(struct tally *tally, uint64_t key)
{
    LOCK_SCOPE(&tally->mutex);
    struct tally_entry *entry = tally_find(tally, key);

    if (entry && --entry->count == 0)
        *entry = tally->entries[--tally->count];
}

bool tally_has(struct tally *tally, uint64_t key, int64_t *time_ns)
{
    LOCK_SCOPE(&tally->mutex);
    const struct tally_entry *entry = tally_find(tally, key);

    if (entry && time_ns)
        *time_ns = entry->time_ns;
    return entry != NULL;
}

int64_t tally_total(struct tally *tally)
{
    LOCK_SCOPE(&tally->mutex);
    int64_t total = 0;

    for (size_t i = 0; i < tally->count; i++)
        total += tally->entries[i].count;
    return total;
}

/* The end of a thread's view. */
static void close_view(void *pointer)
{
    struct view *view = pointer;

    view_close(view);
    free(view);
}

int mount_init(struct mount *mount, struct catalog *catalog)
{
    *mount = (struct mount){.catalog = catalog};
    int result = tally_init(&mount->opens);
    if (result == 0)
        result = tally_init(&mount->changes);
    if (result == 0)
        result = -pthread_key_create(&mount->view_key, close_view);
    return result;
}

void mount_dispose(struct mount *mount)
{
    struct view *view = pthread_getspecific(mount->view_key);

    if (view)
        close_view(view);
    (void)pthread_key_delete(mount->view_key);
    tally_dispose(&mount->opens);
    tally_dispose(&mount->changes);
}

int mount_view(struct mount *mount, struct view **out)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(1024);
    struct view *view = pthread_getspecific(mount->view_key);

    if (view) {
        *out = view;
        int result = view_renew(view);
        if (result == 0)
            return 0;
        if (result != -REFUSAL_STORE_REPLACED)
            result = -REFUSAL_STORE_DAMAGED;
        catalog_note_error(mount->catalog, result);
        return result;
    }
    view = calloc(1, sizeof(*view));
    if (!view)
        return -ENOMEM;
    int result = catalog_view(mount->catalog, view, &error);
    if (result < 0) {
        free(view);
        catalog_note_error(mount->catalog, result);
        return result == -ENOMEM ? result : -REFUSAL_STORE_DAMAGED;
    }
    int failed = pthread_setspecific(mount->view_key, view);
    if (failed) {
        close_view(view);
        return -failed;
    }
    *out = view;
    return 0;
}

void mount_open_view(struct mount *mount)
{
    struct view *view = NULL;

    if (mount_view(mount, &view) < 0)
        return;
}

double mount_timeout(const struct mount *mount)
{
    int64_t until_ns = atomic_load_explicit(&mount->short_until_ns, memory_order_relaxed);

    return until_ns > 0 && text_now() < until_ns ? MOUNT_TIMEOUT_SHORT : MOUNT_TIMEOUT;
}
