/* Directories: opendir, readdir, readdirplus. */
#include "fs/operations.h"

#include "core/base/container.h"
#include "fs/list.h"
#include "fs/notify.h"

#include <errno.h>
#include <string.h>

/* Whether the kernel may keep the listing of a directory.
 *
 * Not where entries go away: a cached listing that ends on a page boundary loses entries when the
 * one that a reader stands on was removed (a kernel bug: shares/ with names of 1..8 bytes showed
 * it). In private/ and in an image's directory nothing is ever removed, and what is added is told
 * by notification. */
static bool is_listing_kept(const struct mount *mount, enum inode_kind kind)
{
    /* In a cloud images are removed. */
    if (kind == INODE_PRIVATE && mount->catalog->source.remote)
        return false;
    return kind == INODE_ROOT || kind == INODE_ACCOUNT || kind == INODE_BY_NAME ||
           kind == INODE_PRIVATE || kind == INODE_IMAGE;
}

/* An OPENDIR that waits for news. */
struct visit_request {
    struct refresh refresh;
    fuse_req_t fuse;
    struct fuse_file_info info;
    struct mount *mount;
};

static struct visit_request *visit_of(struct refresh *refresh)
{
    return CONTAINER_OF(refresh, struct visit_request, refresh);
}

static bool visit_interrupted(struct refresh *refresh)
{
    return fuse_req_interrupted(visit_of(refresh)->fuse) != 0;
}

static void visit_done(struct refresh *refresh, int result)
{
    struct visit_request *request = visit_of(refresh);

    if (result < 0)
        reply_error(request->fuse, result);
    else
        (void)fuse_reply_open(request->fuse, &request->info);
    notifier_wake(request->mount->notifier);
    free(request);
}

/* Lets the source look for news of the directory before it is opened: the one place where waiting
 * harms nobody. False where there is nothing to wait for. */
static bool visit(fuse_req_t fuse, const struct call *call, const struct fuse_file_info *info)
{
    struct refresh where = {0};

    if (!tree_where(call->view, &call->inode, NULL, &where))
        return false;
    struct visit_request *request = calloc(1, sizeof(*request));
    if (!request)
        return false;
    request->fuse = fuse;
    request->info = *info;
    request->mount = call->mount;
    request->refresh = where;
    request->refresh.interrupted = visit_interrupted;
    request->refresh.done = visit_done;
    struct source *source = &call->mount->catalog->source;
    source->ops->visit(source, call->view, &request->refresh);
    return true;
}

void operation_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct call call = {0};
    struct tree_node node = {0};

    if (!call_begin(request, number, &call))
        return;
    int result = inode_is_directory(call.inode.kind)
                     ? tree_stat(call.mount, call.view, &call.inode, &node)
                     : -ENOTDIR;
    if (result < 0) {
        reply_error(request, result);
        return;
    }
    info->cache_readdir = is_listing_kept(call.mount, call.inode.kind);
    info->keep_cache = info->cache_readdir;
    if (!call.mount->catalog->source.remote || !visit(request, &call, info))
        (void)fuse_reply_open(request, info);
}

static void read_directory(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                           bool plus)
{
    struct call call = {0};
    CLEANUP_FREE char *buffer = malloc(size);

    if (!buffer) {
        reply_error(request, -ENOMEM);
        return;
    }
    if (!call_begin(request, number, &call))
        return;
    ssize_t used =
        list_directory(call.mount, call.view, request, &call.inode, offset, plus, buffer, size);
    if (used < 0)
        reply_error(request, (int)used);
    else
        (void)fuse_reply_buf(request, buffer, (size_t)used);
}

void operation_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                       struct fuse_file_info *info)
{
    (void)info;
    read_directory(request, number, size, offset, false);
}

void operation_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                           struct fuse_file_info *info)
{
    (void)info;
    read_directory(request, number, size, offset, true);
}
