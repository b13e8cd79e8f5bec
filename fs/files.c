/*
 * Regular files: open, read, write, release, fsync.
 *
 * A file's content is made at open and kept with the handle, so that a reader in small steps sees
 * one state. The log (events) is read by offset instead, as tail does. Shares are empty.
 */
#include "fs/operations.h"

#include "core/catalog/attribute.h"
#include "core/catalog/report.h"
#include "core/rules/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* At most this much of the log a READ: the kernel asks for less. */
#define EVENTS_READ_MAX (1 << 20)

/* What a handle shows. The reply to a READ lets the reader close the file, and the RELEASE may be
 * served by another thread before the one that replied is done with the text: so it is counted. */
struct content {
    atomic_int users;
    struct buffer text;
};

static struct content *content_of(const struct fuse_file_info *info)
{
    return (struct content *)(uintptr_t)info->fh;
}

static void content_release(struct mount *mount, struct content *content)
{
    if (atomic_fetch_sub(&content->users, 1) == 1) {
        atomic_fetch_sub(&mount->contents, 1);
        buffer_dispose(&content->text);
        free(content);
    }
}

void files_set_share(struct fuse_file_info *info)
{
    /* Past the page cache: a write has to reach us, to be refused where write(2) hears it. */
    info->direct_io = 1;
    info->fh = 0;
}

int files_doubt(const struct call *call, const struct view_share *share)
{
    int64_t valid_ns = 0;

    return catalog_doubt(call->mount->catalog, call->view, share->image, share->pin, &valid_ns);
}

static void open_share(fuse_req_t request, fuse_ino_t number, const struct call *call,
                       struct fuse_file_info *info)
{
    struct view_share share = {0};
    int result = view_share(call->view, call->inode.row, &share);

    /* Who opens it for writing, or to make it, takes it for confirmed that it is there. */
    if (result == 0 && (info->flags & O_ACCMODE) != O_RDONLY)
        result = files_doubt(call, &share);
    if (result == 0)
        result = tally_add(&call->mount->opens, number, share.created_ns);
    if (result < 0) {
        reply_error(request, result == -ENOENT ? -ESTALE : result);
        return;
    }
    files_set_share(info);
    if (fuse_reply_open(request, info) < 0) /* interrupted: there will be no release */
        tally_remove(&call->mount->opens, number);
}

static void open_content(fuse_req_t request, const struct call *call, struct fuse_file_info *info)
{
    struct content *content = calloc(1, sizeof(*content));

    if (!content) {
        reply_error(request, -ENOMEM);
        return;
    }
    atomic_init(&content->users, 1);
    atomic_fetch_add(&call->mount->contents, 1);
    content->text = (struct buffer)BUFFER_INIT(ATTRIBUTE_MAX);
    int result = tree_content(call->mount, call->view, &call->inode, &content->text);
    if (result == 0) {
        /* In the page cache, what this handle shows could outlive an import that changes the image,
         * and a reader in small steps would get some of both. */
        bool changes = call->inode.kind == INODE_ATTRIBUTE || tree_is_derived(&call->inode);
        info->direct_io = changes;
        info->keep_cache = !changes;
        info->fh = (uint64_t)(uintptr_t)content;
        if (fuse_reply_open(request, info) == 0)
            return; /* the handle's now: RELEASE lets go of it */
    } else {
        reply_error(request, result);
    }
    content_release(call->mount, content);
}

void operation_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct call call = {0};

    if (!call_begin(request, number, &call))
        return;
    if (call.inode.kind == INODE_SHARE) {
        open_share(request, number, &call, info);
    } else if ((info->flags & O_ACCMODE) != O_RDONLY || info->flags & O_TRUNC) {
        change_refuse(request, "open", &call.inode, NULL, -REFUSAL_TREE_ATTRIBUTE);
    } else if (call.inode.kind == INODE_EVENTS) {
        info->direct_io = 1;
        info->fh = 0;
        (void)fuse_reply_open(request, info);
    } else {
        open_content(request, &call, info);
    }
}

static void read_events(fuse_req_t request, const struct call *call, size_t size, off_t offset)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(EVENTS_READ_MAX);

    if (size > EVENTS_READ_MAX)
        size = EVENTS_READ_MAX;
    int result = report_events_read(call->mount->catalog, call->view, offset, size, &out);
    if (result < 0)
        reply_error(request, result);
    else
        (void)fuse_reply_buf(request, out.text, out.length);
}

void operation_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    struct mount *mount = fuse_req_userdata(request);
    struct content *content = content_of(info);
    struct call call = {0};

    if (!content) {
        if (!call_begin(request, number, &call))
            return;
        if (call.inode.kind == INODE_EVENTS)
            read_events(request, &call, size, offset);
        else /* a share: nothing in it */
            (void)fuse_reply_buf(request, NULL, 0);
        return;
    }
    atomic_fetch_add(&content->users, 1);
    size_t length = content->text.length;
    size_t begin = offset < 0 || (size_t)offset > length ? length : (size_t)offset;
    size_t rest = length - begin;
    (void)fuse_reply_buf(request, rest > 0 ? content->text.text + begin : NULL,
                         rest < size ? rest : size);
    content_release(mount, content);
}

void operation_write(fuse_req_t request, fuse_ino_t number, const char *data, size_t size,
                     off_t offset, struct fuse_file_info *info)
{
    struct call call = {0};

    (void)data;
    (void)size;
    (void)offset;
    (void)info;
    if (call_begin(request, number, &call))
        change_refuse(request, "write", &call.inode, NULL, -REFUSAL_TREE_CONTENT);
}

void operation_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct mount *mount = fuse_req_userdata(request);
    struct content *content = content_of(info);
    struct inode inode = {0};

    if (content)
        content_release(mount, content);
    else if (inode_decode(number, &inode) && inode.kind == INODE_SHARE)
        tally_remove(&mount->opens, number);
    reply_error(request, 0);
}

/* Every change is durable before its answer. */
void operation_fsync(fuse_req_t request, fuse_ino_t number, int data_only,
                     struct fuse_file_info *info)
{
    (void)number;
    (void)data_only;
    (void)info;
    reply_error(request, 0);
}
