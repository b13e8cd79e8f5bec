/* The guard against cancelling by accident: see the header. */
#include "core/rules/guard.h"

#include <string.h>

void guard_init(struct guard *guard)
{
    memset(guard, 0, sizeof(*guard));
    (void)pthread_mutex_init(&guard->mutex, NULL);
}

void guard_dispose(struct guard *guard)
{
    (void)pthread_mutex_destroy(&guard->mutex);
}

/* The entry of PROCESS and IMAGE, or NULL. Under the mutex. */
static struct guard_entry *find(struct guard *guard, pid_t process, int64_t image)
{
    for (size_t i = 0; i < GUARD_ENTRIES; i++)
        if (guard->entries[i].process == process && guard->entries[i].image == image)
            return &guard->entries[i];
    return NULL;
}

/* The same, made where it is missing, in the place of the one that was quiet longest. */
static struct guard_entry *obtain(struct guard *guard, pid_t process, int64_t image, int64_t now)
{
    struct guard_entry *entry = find(guard, process, image);

    if (!entry) {
        entry = &guard->entries[0];
        for (size_t i = 1; i < GUARD_ENTRIES; i++)
            if (guard->entries[i].touched_ns < entry->touched_ns)
                entry = &guard->entries[i];
        *entry = (struct guard_entry){.process = process, .image = image};
    }
    entry->touched_ns = now;
    return entry;
}

void guard_refused(struct guard *guard, pid_t process, int64_t image, int64_t now)
{
    LOCK_SCOPE(&guard->mutex);
    obtain(guard, process, image, now)->refused_ns = now;
}

/* How many steps have begun since the one that ENTRY counts; none where the clock went back. */
static int64_t steps_since(const struct guard_entry *entry, int64_t now)
{
    int64_t passed = now / GUARD_STEP_NS - entry->step;

    return passed > 0 ? passed : 0;
}

void guard_cancelled(struct guard *guard, pid_t process, int64_t image, int64_t now)
{
    LOCK_SCOPE(&guard->mutex);
    struct guard_entry *entry = obtain(guard, process, image, now);
    int64_t passed = steps_since(entry, now);

    if (passed > 0) {
        for (int64_t i = GUARD_STEPS - 1; i >= 0; i--)
            entry->cancels[i] = i >= passed ? entry->cancels[i - passed] : 0;
        entry->step += passed;
    }
    entry->cancels[0]++;
}

bool guard_is_recursive(struct guard *guard, pid_t process, int64_t image, int64_t now)
{
    LOCK_SCOPE(&guard->mutex);
    const struct guard_entry *entry = find(guard, process, image);

    return entry && entry->refused_ns > 0 && now - entry->refused_ns < GUARD_RECURSIVE_NS;
}

int64_t guard_cancels(struct guard *guard, pid_t process, int64_t image, int64_t now)
{
    LOCK_SCOPE(&guard->mutex);
    const struct guard_entry *entry = find(guard, process, image);
    int64_t sum = 0;

    for (int64_t i = 0; entry && i + steps_since(entry, now) < GUARD_STEPS; i++)
        sum += entry->cancels[i];
    return sum;
}
