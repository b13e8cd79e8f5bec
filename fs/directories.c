/* Directories: opendir, readdir, readdirplus. */
#include "fs/operations.h"

#include "fs/list.h"

#include <errno.h>
#include <string.h>

/* Whether the kernel may keep the listing of a directory.
 *
 * Not where entries go away: a cached listing that ends on a page boundary loses entries when the
 * one that a reader stands on was removed (a kernel bug: shares/ with names of 1..8 bytes showed
 * it). In private/ and in an image's directory nothing is ever removed, and what is added is told
 * by notification. */
static bool is_listing_kept(enum inode_kind kind)
{
    return kind == INODE_ROOT || kind == INODE_ACCOUNT || kind == INODE_BY_NAME ||
           kind == INODE_PRIVATE || kind == INODE_IMAGE;
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
    info->cache_readdir = is_listing_kept(call.inode.kind);
    info->keep_cache = info->cache_readdir;
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
