/*
 * What may be said of a change whose outcome nobody knows: see jdcloud_state.h.
 */
#include "core/source/jdcloud_state.h"

#include "core/rules/refusal.h"
#include "core/store/replica.h"

#include <errno.h>
#include <stdlib.h>

/* Why the caller of a change was told that nobody knows what became of it. */
struct unsettled {
    struct unsettled *next;
    int64_t journal; /* row */
    int why;         /* negative refusal/errno */
};

void jdcloud_remember_unsettled(struct jdcloud *cloud, int64_t journal, int why)
{
    struct unsettled *unsettled = malloc(sizeof(*unsettled));

    if (!unsettled)
        return;
    LOCK_SCOPE(&cloud->mutex);
    *unsettled = (struct unsettled){.next = cloud->unsettled, .journal = journal, .why = why};
    cloud->unsettled = unsettled;
}

void jdcloud_forget_unsettled(struct jdcloud *cloud)
{
    while (cloud->unsettled) {
        struct unsettled *unsettled = cloud->unsettled;
        cloud->unsettled = unsettled->next;
        free(unsettled);
    }
}

/* What the caller of the change in the journal's row JOURNAL was told; 0 where this process does not
 * know. Under the mutex. */
static int why_unsettled(const struct jdcloud *cloud, int64_t journal)
{
    const struct unsettled *unsettled = cloud->unsettled;

    while (unsettled && unsettled->journal != journal)
        unsettled = unsettled->next;
    return unsettled ? unsettled->why : 0;
}

struct operation *jdcloud_find_change(struct jdcloud *cloud, int64_t row, int64_t journal)
{
    const struct image_state *image = jdcloud_find(cloud, row);

    return image && image->first && image->first->journal == journal ? image->first : NULL;
}

bool jdcloud_is_under_way(struct jdcloud *cloud, int64_t row, int64_t journal)
{
    LOCK_SCOPE(&cloud->mutex);
    return jdcloud_find_change(cloud, row, journal) != NULL;
}

/* As jdcloud_doubt_change(); -EAGAIN where the change has ended after the journal was read. */
static int doubt_once(struct jdcloud *cloud, struct view *view, int64_t row, const char *pin)
{
    struct journal_entry entry;
    int result = journal_find(&view->connection, row, pin, &entry);

    if (result <= 0)
        return result;
    LOCK_SCOPE(&cloud->mutex);
    bool under_way = jdcloud_find_change(cloud, row, entry.row) != NULL;
    if (entry.state == JOURNAL_SENT && under_way)
        return 0; /* its caller has not heard yet: what was before him may be said */
    if (entry.state == JOURNAL_SENT)
        return -EAGAIN;
    int why = under_way ? 0 : why_unsettled(cloud, entry.row);
    if (why < 0 && why != -REFUSAL_INTERRUPTED)
        return why;
    return cloud->away < 0 ? cloud->away : 1;
}

int jdcloud_doubt_change(struct jdcloud *cloud, struct view *view, int64_t row, const char *pin)
{
    int result = doubt_once(cloud, view, row, pin);

    if (result == -EAGAIN)
        result = doubt_once(cloud, view, row, pin);
    return result == -EAGAIN ? 1 : result; /* the store could not take what became of it */
}
