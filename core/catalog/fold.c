/* Folding of equal refusals: see the header. */
#include "core/catalog/fold.h"

#include <string.h>

void fold_init(struct fold *fold)
{
    memset(fold, 0, sizeof(*fold));
    (void)pthread_mutex_init(&fold->mutex, NULL);
}

void fold_dispose(struct fold *fold)
{
    (void)pthread_mutex_destroy(&fold->mutex);
}

/* FNV-1a, 64 bits: no attacker gains by a collision, which hides one line of his own. */
static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
    return hash;
}

uint64_t fold_key(const char *verb, int64_t image, const char *name, int result, uid_t uid)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    hash = mix(hash, verb, strlen(verb) + 1);
    hash = mix(hash, &image, sizeof(image));
    hash = mix(hash, name, strlen(name) + 1);
    hash = mix(hash, &result, sizeof(result));
    return mix(hash, &uid, sizeof(uid));
}

bool fold_admit(struct fold *fold, uint64_t key, int64_t now, int64_t *repeated)
{
    LOCK_SCOPE(&fold->mutex);
    struct fold_entry *entry = &fold->entries[0];

    *repeated = 0;
    for (size_t i = 0; i < FOLD_ENTRIES; i++) {
        struct fold_entry *candidate = &fold->entries[i];
        if (candidate->written_ns > 0 && candidate->key == key) {
            if (now - candidate->written_ns < FOLD_NS) {
                candidate->repeated++;
                return false;
            }
            *repeated = candidate->repeated;
            entry = candidate;
            break;
        }
        if (candidate->written_ns < entry->written_ns)
            entry = candidate;
    }
    *entry = (struct fold_entry){.key = key, .written_ns = now};
    return true;
}

void fold_reset(struct fold *fold)
{
    LOCK_SCOPE(&fold->mutex);
    memset(fold->entries, 0, sizeof(fold->entries));
}
