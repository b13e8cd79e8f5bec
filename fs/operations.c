/* The table of operations, and what only reads: see the header. */
#include "fs/operations.h"

#include "core/base/container.h"
#include "core/rules/refusal.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

void reply_error(fuse_req_t request, int result)
{
    /* The caller is gone where a reply fails: nobody is left to be told. */
    (void)fuse_reply_err(request, refusal_errno(result));
}

/* What the store failed at is remembered for the file status. */
static void note(struct mount *mount, int result)
{
    if (result == -REFUSAL_STORE_DAMAGED || result == -REFUSAL_STORE_FULL)
        catalog_note_error(mount->catalog, result);
}

bool call_begin(fuse_req_t request, fuse_ino_t number, struct call *out)
{
    out->mount = fuse_req_userdata(request);
    int result = inode_decode(number, &out->inode) ? 0 : -ESTALE;

    if (result == 0)
        result = mount_view(out->mount, &out->view);
    if (result < 0)
        reply_error(request, result);
    return result == 0;
}

struct fuse_entry_param call_entry(const struct tree_node *node)
{
    return (struct fuse_entry_param){
        .ino = node->status.st_ino,
        .attr = node->status,
        .attr_timeout = node->attr_timeout,
        .entry_timeout = node->entry_timeout,
    };
}

static void operation_init(void *user_data, struct fuse_conn_info *connection)
{
    struct mount *mount = user_data;

    atomic_store(&mount->agreed, true);
    /* Requests are small: the copies that splice saves cost less than its pipes. */
    connection->want &=
        ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
    /* A write must reach us to be refused: no writeback cache. */
    connection->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
}

/* NAME is not in the directory of CALL: for how long the kernel may believe that. Where nobody has
 * heard from the authority for long, or what became of a change, not even that is known: a negative
 * refusal/errno. */
static int deny(const struct call *call, const char *name, struct fuse_entry_param *entry)
{
    int64_t valid_ns = 0;
    int result = 0;

    entry->entry_timeout = tree_negative_timeout(call->mount, &call->inode);
    if (call->inode.kind != INODE_SHARES)
        return 0;
    result = catalog_doubt(call->mount->catalog, call->view, call->inode.row, name, &valid_ns);
    if (result == 0 && entry->entry_timeout > (double)valid_ns / 1e9)
        entry->entry_timeout = (double)valid_ns / 1e9;
    return result;
}

/* Whether NAME is in the directory of CALL by now, though it was not before deny() was asked: what
 * was on its way may have been settled in between. */
static bool has_come(const struct call *call, const char *name, struct tree_node *node)
{
    return call->inode.kind == INODE_SHARES && call->mount->catalog->source.remote &&
           tree_lookup(call->mount, call->view, &call->inode, name, node) == 0;
}

/* Answers a LOOKUP with what tree_lookup() gave: RESULT, and NODE where that is 0. */
static void answer_lookup(const struct call *call, fuse_req_t request, const char *name, int result,
                          const struct tree_node *node)
{
    struct fuse_entry_param entry = {0};
    struct tree_node come = {0};

    if (result == 0)
        entry = call_entry(node);
    else if (result == -ENOENT) /* inode 0: there is no such name, and that may be remembered */
        result = deny(call, name, &entry);
    if (result == 0 && entry.ino == 0 && has_come(call, name, &come))
        entry = call_entry(&come);
    if (result < 0) {
        note(call->mount, result);
        reply_error(request, result);
        return;
    }
    (void)fuse_reply_entry(request, &entry);
}

/* A LOOKUP that waits for the authority: to be asked for the first time, or for what became of a
 * change. */
struct lookup_request {
    struct refresh refresh;
    fuse_req_t fuse;
    struct call call;
    char name[VIEW_NAME_SIZE];
};

static struct lookup_request *lookup_of(struct refresh *refresh)
{
    return CONTAINER_OF(refresh, struct lookup_request, refresh);
}

static bool lookup_interrupted(struct refresh *refresh)
{
    return fuse_req_interrupted(lookup_of(refresh)->fuse) != 0;
}

static void ask(struct lookup_request *request)
{
    struct source *source = &request->call.mount->catalog->source;

    source->ops->visit(source, request->call.view, &request->refresh);
}

static void lookup_done(struct refresh *refresh, int result)
{
    struct lookup_request *request = lookup_of(refresh);
    struct call *call = &request->call;
    struct tree_node node = {0};

    int found = mount_view(call->mount, &call->view); /* in another thread than it came in */

    if (found == 0)
        found = tree_lookup(call->mount, call->view, &call->inode, request->name, &node);
    if (found == -ENOENT && result < 0) { /* nobody knows */
        found = result;
    } else if (found == -ENOENT && lookup_interrupted(refresh)) { /* nor waits for it */
        found = -REFUSAL_INTERRUPTED;
    } else if (found == -ENOENT && request->refresh.pin &&
               catalog_must_ask(call->mount->catalog, call->view, &request->refresh,
                                request->name)) { /* not yet */
        ask(request);
        return;
    }
    answer_lookup(call, request->fuse, request->name, found, &node);
    free(request);
}

/* "rm -f" takes "no such name" for success: it is not said of a list that nobody has asked for, nor
 * of a share that may have been made. WHERE is that list. */
static void ask_first(const struct call *call, fuse_req_t fuse, const struct refresh *where,
                      const char *name)
{
    struct lookup_request *request = calloc(1, sizeof(*request));

    if (!request) {
        reply_error(fuse, -ENOMEM);
        return;
    }
    request->fuse = fuse;
    request->call = *call;
    (void)snprintf(request->name, sizeof(request->name), "%s", name);
    request->refresh = *where;
    request->refresh.named = true;
    if (where->pin)
        request->refresh.pin = request->name;
    request->refresh.interrupted = lookup_interrupted;
    request->refresh.done = lookup_done;
    ask(request);
}

/* Whether NAME, which is not in the directory of CALL, may be missing only because nobody has asked
 * for WHERE. */
static bool must_ask(const struct call *call, const char *name, struct refresh *where)
{
    enum inode_kind kind = call->inode.kind;
    bool is_pin = kind == INODE_SHARES || kind == INODE_BY_ACCOUNT;

    return call->mount->catalog->source.remote &&
           tree_where(call->view, &call->inode, name, where) &&
           catalog_must_ask(call->mount->catalog, call->view, where, is_pin ? name : NULL);
}

static void operation_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct call call = {0};
    struct tree_node node = {0};
    struct refresh where = {0};

    if (!call_begin(request, parent, &call))
        return;
    int result = tree_lookup(call.mount, call.view, &call.inode, name, &node);
    if (result == -ENOENT && must_ask(&call, name, &where))
        ask_first(&call, request, &where, name);
    else
        answer_lookup(&call, request, name, result, &node);
}

/* There is no inode table: see inode.h. */
static void operation_forget(fuse_req_t request, fuse_ino_t number, uint64_t lookups)
{
    (void)number;
    (void)lookups;
    fuse_reply_none(request);
}

static void operation_forget_multi(fuse_req_t request, size_t count,
                                   struct fuse_forget_data *forgets)
{
    (void)count;
    (void)forgets;
    fuse_reply_none(request);
}

static void operation_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct call call = {0};
    struct tree_node node = {0};

    (void)info;
    if (!call_begin(request, number, &call))
        return;
    int result = tree_stat(call.mount, call.view, &call.inode, &node);
    note(call.mount, result);
    if (result < 0)
        reply_error(request, result);
    else
        (void)fuse_reply_attr(request, &node.status, node.attr_timeout);
}

static void operation_readlink(fuse_req_t request, fuse_ino_t number)
{
    CLEANUP_BUFFER struct buffer target = BUFFER_INIT(1024);
    struct call call = {0};

    if (!call_begin(request, number, &call))
        return;
    int result = tree_readlink(call.mount, call.view, &call.inode, &target);
    if (result < 0)
        reply_error(request, result);
    else
        (void)fuse_reply_readlink(request, buffer_text(&target));
}

/* No blocks at all: df leaves the mount out, and nobody warns that it is full. */
static void operation_statfs(fuse_req_t request, fuse_ino_t number)
{
    struct call call = {0};
    struct view_account account = {0};

    if (!call_begin(request, number, &call))
        return;
    int result = view_account(call.view, &account);
    if (result < 0) {
        reply_error(request, result);
        return;
    }
    struct statvfs status = {
        .f_bsize = 4096,
        .f_frsize = 4096,
        .f_files = (fsfilcnt_t)(account.images + account.received),
        .f_namemax = TEXT_NAME_MAX,
    };
    (void)fuse_reply_statfs(request, &status);
}

/*
 * What is not here, and why: access (default_permissions: the kernel decides and never asks), flush
 * (ENOSYS: the kernel stops asking; all errors come from open and unlink), the xattr calls (ENOSYS:
 * one question a mount instead of two a file), fallocate, copy_file_range, lseek (the kernel's
 * fallbacks).
 */
static const struct fuse_lowlevel_ops table = {
    .init = operation_init,
    .lookup = operation_lookup,
    .forget = operation_forget,
    .forget_multi = operation_forget_multi,
    .getattr = operation_getattr,
    .setattr = operation_setattr,
    .readlink = operation_readlink,
    .statfs = operation_statfs,
    .opendir = operation_opendir,
    .readdir = operation_readdir,
    .readdirplus = operation_readdirplus,
    .fsyncdir = operation_fsync,
    .open = operation_open,
    .read = operation_read,
    .write = operation_write,
    .release = operation_release,
    .fsync = operation_fsync,
    .create = operation_create,
    .mknod = operation_mknod,
    .unlink = operation_unlink,
    .rmdir = operation_rmdir,
    .mkdir = operation_mkdir,
    .symlink = operation_symlink,
    .link = operation_link,
    .rename = operation_rename,
};

const struct fuse_lowlevel_ops *operations_table(void)
{
    return &table;
}
