/* The notifier: see the header. */
#include "fs/notify.h"

#include "core/base/text.h"
#include "core/catalog/attribute.h"
#include "core/store/feed.h"
#include "fs/inode.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

/* Another mount's commit must be seen within a second: design, the caches. */
#define POLL_MS 250
#define PUT_OFF_MS 20
#define BATCH 256

/* How long the threads have to end by themselves. */
#define QUIET_MS 200

/* More names waiting than this are a gap: the kernel's timeouts then take over. */
#define WAITING_MAX 100000

/* Names to be dropped: what one row of the feed says. */
struct waiting {
    struct waiting *next;
    int64_t since_ns;
    struct feed_row row;
};

struct notifier {
    struct mount *mount;
    int wake_fd; /* eventfd: look now, or stop */
    atomic_bool stopping;
    pthread_t poller;
    pthread_t namer;
    bool poller_ended; /* and joined; of who ends the notifier */
    bool namer_ended;

    /* The poller's. */
    int64_t version;   /* of the file, when it was last looked at */
    uint64_t renewals; /* of the view, then */
    int64_t known;     /* the feed's row up to which all was told */

    pthread_mutex_t mutex;
    pthread_cond_t news;   /* something waits, or the end has come */
    struct waiting *first; /* under mutex */
    struct waiting **last; /* under mutex */
    size_t count;          /* under mutex */
};

/* An answer of -ENOENT says that the kernel does not know the inode: nothing to drop. Any other
 * failure is that of a mount that is going away. */
static void drop_inode(struct notifier *notifier, uint64_t number)
{
    (void)fuse_lowlevel_notify_inval_inode(notifier->mount->session, number, 0, 0);
}

/* Whether the kernel holds anything of the image ROW: what is below an image's directory holds the
 * directory. */
static bool is_known(struct notifier *notifier, int64_t row)
{
    return fuse_lowlevel_notify_inval_inode(notifier->mount->session,
                                            inode_number(INODE_IMAGE, row), 0, 0) != -ENOENT;
}

static void drop_name(struct notifier *notifier, uint64_t parent, const char *name)
{
    (void)fuse_lowlevel_notify_inval_entry(notifier->mount->session, parent, name, strlen(name));
}

/* Calls EACH for the images of rows FIRST to LAST, in batches: no read transaction stays open while
 * the kernel is told. */
static void for_images(struct notifier *notifier, int64_t first, int64_t last,
                       void (*each)(struct notifier *notifier, struct view *view,
                                    const struct feed_image *image))
{
    struct view *view = NULL;
    CLEANUP_FREE struct feed_image *images = calloc(BATCH, sizeof(*images));

    if (!images || mount_view(notifier->mount, &view) < 0)
        return;
    for (int64_t at = first; at <= last && !atomic_load(&notifier->stopping);) {
        int count = feed_images(&view->connection, at, last, BATCH, images);
        if (count <= 0)
            return;
        for (int i = 0; i < count; i++)
            each(notifier, view, &images[i]);
        at = images[count - 1].row + 1;
    }
}

/* An image that was imported: its attributes that the kernel keeps, its shares' listing. */
static void drop_image_inodes(struct notifier *notifier, struct view *view,
                              const struct feed_image *image)
{
    const struct attribute *attribute = NULL;

    (void)view;
    if (!is_known(notifier, image->row))
        return;
    drop_inode(notifier, inode_number(INODE_SHARES, image->row));
    for (size_t i = 0; (attribute = attribute_at(i)); i++)
        if (!attribute->derived)
            drop_inode(notifier, inode_attribute(attribute->number, image->row));
}

static int drop_share_name(const struct view_entry *entry, void *context)
{
    struct buffer *names = context;

    buffer_add(names, entry->name, strlen(entry->name) + 1);
    return 0;
}

/* Its names: of itself where it was missing (to drop the name of a directory in which somebody
 * stands would take the ground from under him), and of its shares. */
static void drop_image_names(struct notifier *notifier, struct view *view,
                             const struct feed_image *image)
{
    CLEANUP_BUFFER struct buffer names = BUFFER_INIT(1 << 26);
    bool own = image->owner == view->account;

    if (!is_known(notifier, image->row))
        drop_name(notifier, inode_number(own ? INODE_PRIVATE : INODE_SHARED, 0), image->id);
    else if (own && view_shares(view, image->row, 0, drop_share_name, &names) == 0)
        for (size_t at = 0; at < names.length; at += strlen(names.text + at) + 1)
            drop_name(notifier, inode_number(INODE_SHARES, image->row), names.text + at);
}

/* What a row of the feed makes stale among listings and attributes. */
static void tell_inodes(struct notifier *notifier, const struct feed_row *row)
{
    switch (row->kind) {
    case FEED_SHARED:
    case FEED_CANCELLED:
        drop_inode(notifier, inode_number(INODE_SHARES, row->first));
        if (strcmp(row->pin, notifier->mount->catalog->pin) == 0)
            drop_inode(notifier, inode_number(INODE_SHARED, 0));
        break;
    case FEED_REMOVED:
        drop_inode(notifier, inode_number(INODE_PRIVATE, 0));
        drop_inode(notifier, inode_number(INODE_IMAGE, row->first));
        drop_inode(notifier, inode_number(INODE_SHARES, row->first));
        break;
    case FEED_IMPORTED:
    default:
        drop_inode(notifier, inode_number(INODE_PRIVATE, 0));
        drop_inode(notifier, inode_number(INODE_SHARED, 0));
        for_images(notifier, row->first, row->last, drop_image_inodes);
        break;
    }
}

static void drop_shared_name(struct notifier *notifier, struct view *view,
                             const struct feed_image *image)
{
    (void)view;
    drop_name(notifier, inode_number(INODE_SHARED, 0), image->id);
}

static void tell_names(struct notifier *notifier, const struct feed_row *row)
{
    switch (row->kind) {
    case FEED_SHARED:
    case FEED_CANCELLED:
        drop_name(notifier, inode_number(INODE_SHARES, row->first), row->pin);
        if (strcmp(row->pin, notifier->mount->catalog->pin) == 0)
            for_images(notifier, row->first, row->first, drop_shared_name);
        break;
    case FEED_REMOVED:
        drop_name(notifier, inode_number(INODE_PRIVATE, 0), row->pin);
        drop_name(notifier, inode_number(INODE_SHARED, 0), row->pin);
        break;
    case FEED_IMPORTED:
    default:
        for_images(notifier, row->first, row->last, drop_image_names);
        break;
    }
}

/* Something was missed. What the kernel holds is not known, so it may hold it for a moment only,
 * and all listings are dropped. */
static void handle_gap(struct notifier *notifier)
{
    atomic_store(&notifier->mount->short_until_ns, text_now() + MOUNT_SHORT_NS);
    drop_inode(notifier, inode_number(INODE_PRIVATE, 0));
    drop_inode(notifier, inode_number(INODE_SHARED, 0));
    for_images(notifier, 1, INT64_MAX, drop_image_inodes);
}

/* Hands ROW to the thread of names. False when too many wait. */
static bool put_off(struct notifier *notifier, const struct feed_row *row)
{
    struct waiting *waiting = malloc(sizeof(*waiting));

    if (!waiting)
        return false;
    *waiting = (struct waiting){.next = NULL, .since_ns = text_now(), .row = *row};
    LOCK_SCOPE(&notifier->mutex);
    if (notifier->count >= WAITING_MAX) {
        free(waiting);
        return false;
    }
    *notifier->last = waiting;
    notifier->last = &waiting->next;
    notifier->count++;
    (void)pthread_cond_signal(&notifier->news);
    return true;
}

/* Reads and tells what is new in the feed. 0, or a negative refusal/errno where not all was read. */
static int tell_news(struct notifier *notifier, struct view *view)
{
    CLEANUP_FREE struct feed_row *rows = calloc(BATCH, sizeof(*rows));
    struct connection *connection = &view->connection;
    int64_t oldest = 0;
    int count = 0;

    int result = rows ? feed_oldest(connection, &oldest) : -ENOMEM;
    if (result < 0)
        return result;
    if (oldest > notifier->known + 1) {
        notifier->known = oldest - 1;
        handle_gap(notifier);
    }
    while ((count = feed_read(connection, notifier->known, BATCH, rows)) > 0) {
        bool lost = false;
        for (int i = 0; i < count; i++) {
            notifier->known = rows[i].id;
            if (rows[i].writer == notifier->mount->catalog->mount_id)
                continue;
            tell_inodes(notifier, &rows[i]);
            lost = !put_off(notifier, &rows[i]) || lost;
        }
        if (lost)
            handle_gap(notifier);
        if (count < BATCH)
            break;
    }
    return count < 0 ? count : 0;
}

static void *poller_main(void *context)
{
    struct notifier *notifier = context;
    struct pollfd poll_fd = {.fd = notifier->wake_fd, .events = POLLIN};
    struct view *view = NULL;

    while (!atomic_load(&notifier->stopping)) {
        int64_t version = 0;
        uint64_t wakes = 0;

        /* Looked at in any case: what fails here may have been the news itself. */
        if (poll(&poll_fd, 1, POLL_MS) > 0 && read(notifier->wake_fd, &wakes, sizeof(wakes)) < 0)
            wakes = 0;
        if (mount_view(notifier->mount, &view) < 0)
            continue;
        /* The version is the connection's own: that of another one says nothing. */
        if (feed_version(&view->connection, &version) < 0 ||
            (version == notifier->version && view->renewals == notifier->renewals))
            continue;
        if (tell_news(notifier, view) < 0)
            continue; /* later: nobody else will say it */
        notifier->version = version;
        notifier->renewals = view->renewals;
    }
    return NULL;
}

/* Takes the first thing whose directory has no change under way that was so when the news came: one
 * that began later can be waited for, or the names of a busy directory would never get their turn.
 * Under the mutex. */
static struct waiting *take_waiting(struct notifier *notifier)
{
    for (struct waiting **at = &notifier->first; *at; at = &(*at)->next) {
        struct waiting *waiting = *at;
        int64_t begun_ns = 0;
        if (tally_has(&notifier->mount->changes, (uint64_t)waiting->row.first, &begun_ns) &&
            begun_ns <= waiting->since_ns)
            continue;
        *at = waiting->next;
        if (notifier->last == &waiting->next)
            notifier->last = at;
        notifier->count--;
        return waiting;
    }
    return NULL;
}

/* MS from now, less than a second, of the clock that waits are told by. */
static struct timespec time_in(long ms)
{
    struct timespec time = {0};

    (void)clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += ms * 1000000L;
    if (time.tv_nsec >= 1000000000L) {
        time.tv_nsec -= 1000000000L;
        time.tv_sec++;
    }
    return time;
}

/* Names that were put off are looked at again after a moment: that spares every change a signal.
 * Under the mutex. */
static void wait_for_news(struct notifier *notifier)
{
    const struct timespec until = time_in(PUT_OFF_MS);

    if (!notifier->first) {
        (void)pthread_cond_wait(&notifier->news, &notifier->mutex);
        return;
    }
    (void)pthread_cond_timedwait(&notifier->news, &notifier->mutex, &until);
}

static void *namer_main(void *context)
{
    struct notifier *notifier = context;

    mount_open_view(notifier->mount);
    (void)pthread_mutex_lock(&notifier->mutex);
    while (!atomic_load(&notifier->stopping)) {
        struct waiting *waiting = take_waiting(notifier);
        if (!waiting) {
            wait_for_news(notifier);
            continue;
        }
        (void)pthread_mutex_unlock(&notifier->mutex);
        tell_names(notifier, &waiting->row);
        free(waiting);
        (void)pthread_mutex_lock(&notifier->mutex);
    }
    (void)pthread_mutex_unlock(&notifier->mutex);
    return NULL;
}

static void notifier_free(struct notifier *notifier)
{
    while (notifier->first) {
        struct waiting *waiting = notifier->first;
        notifier->first = waiting->next;
        free(waiting);
    }
    if (notifier->wake_fd >= 0)
        (void)close(notifier->wake_fd);
    (void)pthread_cond_destroy(&notifier->news);
    (void)pthread_mutex_destroy(&notifier->mutex);
    free(notifier);
}

/* From here on everything that others commit is news. Before anything was served. */
static int find_begin(struct notifier *notifier)
{
    struct view *view = NULL;
    int result = mount_view(notifier->mount, &view);

    if (result == 0)
        result = feed_newest(&view->connection, &notifier->known);
    return result;
}

int notifier_start(struct mount *mount, struct notifier **out)
{
    struct notifier *notifier = calloc(1, sizeof(*notifier));

    if (!notifier)
        return -ENOMEM;
    notifier->mount = mount;
    notifier->last = &notifier->first;
    (void)pthread_mutex_init(&notifier->mutex, NULL);
    (void)pthread_cond_init(&notifier->news, NULL);
    notifier->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int result = notifier->wake_fd < 0 ? -errno : find_begin(notifier);
    if (result == 0)
        result = -pthread_create(&notifier->poller, NULL, poller_main, notifier);
    if (result < 0) {
        notifier_free(notifier);
        return result;
    }
    result = -pthread_create(&notifier->namer, NULL, namer_main, notifier);
    if (result < 0) {
        atomic_store(&notifier->stopping, true);
        notifier_wake(notifier);
        (void)pthread_join(notifier->poller, NULL);
        notifier_free(notifier);
        return result;
    }
    *out = notifier;
    return 0;
}

void notifier_wake(struct notifier *notifier)
{
    const uint64_t one = 1;

    /* A counter that is full wakes as well. */
    if (notifier && write(notifier->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        return;
}

size_t notifier_waiting(struct notifier *notifier)
{
    if (!notifier)
        return 0;
    LOCK_SCOPE(&notifier->mutex);
    return notifier->count;
}

/* Joins THREAD if it ends by UNTIL, or has; *ENDED tells. */
static void join_until(pthread_t thread, bool *ended, const struct timespec *until)
{
    *ended = *ended || pthread_timedjoin_np(thread, NULL, until) == 0;
}

void notifier_quiet(struct notifier *notifier)
{
    if (!notifier)
        return;
    atomic_store(&notifier->stopping, true);
    notifier_wake(notifier);
    (void)pthread_mutex_lock(&notifier->mutex);
    (void)pthread_cond_broadcast(&notifier->news);
    (void)pthread_mutex_unlock(&notifier->mutex);
    const struct timespec until = time_in(QUIET_MS);
    join_until(notifier->poller, &notifier->poller_ended, &until);
    join_until(notifier->namer, &notifier->namer_ended, &until);
}

void notifier_stop(struct notifier *notifier)
{
    if (!notifier)
        return;
    notifier_quiet(notifier);
    if (!notifier->poller_ended)
        (void)pthread_join(notifier->poller, NULL);
    if (!notifier->namer_ended)
        (void)pthread_join(notifier->namer, NULL);
    notifier_free(notifier);
}
