/*
 * Changes: create, mknod, unlink, setattr, and the calls that are always refused.
 *
 * A change is handed to the catalog, and the answer goes out from whichever thread has committed
 * it. While it is unanswered its image is in the tally of changes: the notifier leaves that
 * directory's names alone, whose lock the caller holds in the kernel.
 */
#include "fs/operations.h"

#include "core/base/container.h"
#include "core/base/text.h"
#include "core/catalog/attribute.h"
#include "core/rules/refusal.h"
#include "fs/caller.h"
#include "fs/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* How a change is answered. */
enum answer {
    ANSWER_CREATE, /* an entry and an open file */
    ANSWER_ENTRY,
    ANSWER_NOTHING, /* success or an error */
};

struct request {
    struct change change;
    fuse_req_t fuse;
    struct mount *mount;
    enum answer answer;
    bool tallied; /* counted in mount->changes under change.image */
    struct fuse_file_info info;
};

static struct request *request_of_change(struct change *change)
{
    return CONTAINER_OF(change, struct request, change);
}

static bool request_interrupted(struct change *change)
{
    return fuse_req_interrupted(request_of_change(change)->fuse) != 0;
}

static void answer_create(struct request *request, const struct tree_node *node)
{
    struct fuse_entry_param entry = call_entry(node);
    struct tally *opens = &request->mount->opens;
    int result = tally_add(opens, entry.ino, request->change.created_ns);

    if (result < 0) {
        reply_error(request->fuse, result);
        return;
    }
    files_set_share(&request->info);
    if (fuse_reply_create(request->fuse, &entry, &request->info) < 0)
        tally_remove(opens, entry.ino); /* the caller is gone: there will be no release */
}

/* The end of a change, in any thread. */
static void request_done(struct change *change, int result)
{
    struct request *request = request_of_change(change);
    struct tree_node node = {0};

    if (result < 0 || request->answer == ANSWER_NOTHING) {
        /* A gone image: the kernel looks its path up again, and says ENOENT by itself. Not where it
         * is a cloud that says so, and our list still has it: the kernel would send it once more.
         */
        bool stale = result == -REFUSAL_IMAGE_GONE && !change->catalog->source.remote;
        reply_error(request->fuse, stale ? -ESTALE : result);
    } else {
        tree_make_share(request->mount, change->share, change->created_ns, &node);
        if (request->answer == ANSWER_CREATE) {
            answer_create(request, &node);
        } else {
            struct fuse_entry_param entry = call_entry(&node);
            (void)fuse_reply_entry(request->fuse, &entry);
        }
    }
    if (request->tallied)
        tally_remove(&request->mount->changes, (uint64_t)change->image);
    free(request);
}

/* A request for IMAGE (row, or 0) about NAME, or NULL when FUSE was answered: memory ran out, or
 * the name is longer than any pin, of which no part must be taken for a pin. */
static struct request *request_new(fuse_req_t fuse, enum change_action action, int64_t image,
                                   const char *name)
{
    bool fits = strlen(name) <= TEXT_NAME_MAX;
    struct request *request = fits ? calloc(1, sizeof(*request)) : NULL;

    if (!request) {
        reply_error(fuse, fits ? -ENOMEM : -ENAMETOOLONG);
        return NULL;
    }
    request->fuse = fuse;
    request->mount = fuse_req_userdata(fuse);
    request->answer = ANSWER_NOTHING;
    request->change.action = action;
    request->change.image = image;
    request->change.interrupted = request_interrupted;
    request->change.done = request_done;
    (void)snprintf(request->change.name, sizeof(request->change.name), "%s", name);
    caller_read(fuse, &request->change.caller);
    request->tallied =
        image > 0 && tally_add(&request->mount->changes, (uint64_t)image, text_now()) == 0;
    return request;
}

static void submit(struct request *request)
{
    catalog_change(request->mount->catalog, &request->change);
}

/* The image that INODE is or belongs to, 0 where it is none's. */
static int64_t image_of(const struct inode *inode, struct view *view)
{
    struct view_share share = {0};

    switch ((int)inode->kind) {
    case INODE_IMAGE:
    case INODE_SHARES:
    case INODE_ATTRIBUTE:
        return inode->row;
    case INODE_SHARE:
        return view && view_share(view, inode->row, &share) == 0 ? share.image : 0;
    default:
        return 0;
    }
}

/* The name by which a refusal of INODE itself is written down; "" for an image, which is named
 * anyway. */
static void name_of(const struct inode *inode, struct view *view, char out[VIEW_NAME_SIZE])
{
    const struct attribute *attribute = NULL;
    const struct tree_fixed *entry = NULL;
    struct view_share share = {0};
    const char *name = inode->kind == INODE_SHARES ? "shares" : "";

    if (inode->kind == INODE_SHARE && view && view_share(view, inode->row, &share) == 0)
        name = share.pin;
    if (inode->kind == INODE_ATTRIBUTE && (attribute = attribute_by_number(inode->attribute)))
        name = attribute->name;
    for (size_t i = 0; (entry = tree_fixed_at(i)); i++)
        if (entry->kind == inode->kind)
            name = entry->name;
    (void)snprintf(out, VIEW_NAME_SIZE, "%s", name);
}

void change_refuse(fuse_req_t fuse, const char *verb, const struct inode *inode, const char *name,
                   int refusal)
{
    char own_name[VIEW_NAME_SIZE];
    struct view *view = NULL;

    if (mount_view(fuse_req_userdata(fuse), &view) < 0)
        view = NULL; /* then it is written down without the image */
    name_of(inode, view, own_name);
    struct request *request =
        request_new(fuse, CHANGE_OTHER, image_of(inode, view), name ? name : own_name);
    if (!request)
        return;
    request->change.verb = verb;
    request->change.refusal = refusal;
    submit(request);
}

/* A share of the directory PARENT with NAME, when PARENT is a shares/. False: answered already. */
static bool begin_share(fuse_req_t fuse, fuse_ino_t parent, const char *name, const char *verb,
                        struct call *call)
{
    if (!call_begin(fuse, parent, call))
        return false;
    if (call->inode.kind != INODE_SHARES) {
        change_refuse(fuse, verb, &call->inode, name, -REFUSAL_TREE_CREATE);
        return false;
    }
    return true;
}

void operation_create(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *info)
{
    struct call call = {0};

    (void)mode; /* a share's mode is the mount's */
    if (!begin_share(fuse, parent, name, "create", &call))
        return;
    struct request *request = request_new(fuse, CHANGE_SHARE, call.inode.row, name);
    if (!request)
        return;
    request->answer = ANSWER_CREATE;
    request->info = *info;
    request->change.exclusive = (info->flags & O_EXCL) != 0;
    submit(request);
}

void operation_mknod(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode,
                     dev_t device)
{
    struct call call = {0};

    (void)device;
    if (!begin_share(fuse, parent, name, "mknod", &call))
        return;
    if (!S_ISREG(mode)) {
        change_refuse(fuse, "mknod", &call.inode, name, -REFUSAL_TREE_CREATE);
        return;
    }
    struct request *request = request_new(fuse, CHANGE_SHARE, call.inode.row, name);
    if (!request)
        return;
    request->answer = ANSWER_ENTRY;
    request->change.exclusive = true; /* mknod(2) never takes what is there */
    submit(request);
}

/* A removal inside an image's directory was refused: what follows from the same process may be a
 * recursive delete. Before the answer, so that its next call finds the guard armed. */
static void arm_guard(fuse_req_t fuse, const struct mount *mount, const struct inode *parent)
{
    struct caller caller = {0};

    if (parent->kind != INODE_IMAGE)
        return;
    caller_read(fuse, &caller);
    guard_refused(&mount->catalog->guard, caller.process, parent->row, text_now());
}

static void refuse_removal(fuse_req_t fuse, const struct call *call, const char *verb,
                           const char *name)
{
    arm_guard(fuse, call->mount, &call->inode);
    change_refuse(fuse, verb, &call->inode, name, -REFUSAL_TREE_REMOVE);
}

void operation_unlink(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
    struct call call = {0};

    if (!call_begin(fuse, parent, &call))
        return;
    if (call.inode.kind != INODE_SHARES) {
        refuse_removal(fuse, &call, "unlink", name);
        return;
    }
    struct request *request = request_new(fuse, CHANGE_CANCEL, call.inode.row, name);
    if (request)
        submit(request);
}

void operation_rmdir(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
    struct call call = {0};

    if (call_begin(fuse, parent, &call))
        refuse_removal(fuse, &call, "rmdir", name);
}

void operation_mkdir(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct call call = {0};

    (void)mode;
    if (call_begin(fuse, parent, &call))
        change_refuse(fuse, "mkdir", &call.inode, name, -REFUSAL_TREE_CREATE);
}

void operation_symlink(fuse_req_t fuse, const char *target, fuse_ino_t parent, const char *name)
{
    struct call call = {0};

    (void)target;
    if (call_begin(fuse, parent, &call))
        change_refuse(fuse, "symlink", &call.inode, name, -REFUSAL_TREE_CREATE);
}

void operation_link(fuse_req_t fuse, fuse_ino_t number, fuse_ino_t parent, const char *name)
{
    struct call call = {0};

    (void)number;
    if (call_begin(fuse, parent, &call))
        change_refuse(fuse, "link", &call.inode, name, -REFUSAL_TREE_CREATE);
}

/* Never EXDEV: mv would copy and unlink, which shares with the one and cancels the other. */
void operation_rename(fuse_req_t fuse, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                      const char *new_name, unsigned flags)
{
    struct call call = {0};

    (void)new_parent;
    (void)new_name;
    (void)flags;
    if (call_begin(fuse, parent, &call))
        change_refuse(fuse, "rename", &call.inode, name, -REFUSAL_TREE_RENAME);
}

/* Replies the attributes as they are: what was asked for succeeds without effect. */
static void reply_unchanged(fuse_req_t fuse, const struct call *call)
{
    struct tree_node node = {0};
    int result = tree_stat(call->mount, call->view, &call->inode, &node);

    if (result < 0)
        reply_error(fuse, result);
    else
        (void)fuse_reply_attr(fuse, &node.status, node.attr_timeout);
}

/* `touch DIRECTORY`: the Refresh button. */
struct refresh_request {
    struct refresh refresh;
    fuse_req_t fuse;
    struct call call;
};

static void refresh_done(struct refresh *refresh, int result)
{
    struct refresh_request *request = CONTAINER_OF(refresh, struct refresh_request, refresh);

    if (result < 0) {
        reply_error(request->fuse, result);
    } else if (mount_view(request->call.mount, &request->call.view) < 0) {
        reply_error(request->fuse, -REFUSAL_STORE_DAMAGED);
    } else {
        (void)fuse_lowlevel_notify_inval_inode(
            request->call.mount->session,
            inode_number(request->call.inode.kind, request->call.inode.row), 0, 0);
        reply_unchanged(request->fuse, &request->call);
        notifier_wake(request->call.mount->notifier);
    }
    free(request);
}

static bool refresh_interrupted(struct refresh *refresh)
{
    const struct refresh_request *request = CONTAINER_OF(refresh, struct refresh_request, refresh);

    return fuse_req_interrupted(request->fuse) != 0;
}

static void refresh(fuse_req_t fuse, const struct call *call)
{
    struct refresh_request *request = calloc(1, sizeof(*request));

    if (!request) {
        reply_error(fuse, -ENOMEM);
        return;
    }
    request->fuse = fuse;
    request->call = *call;
    request->refresh = (struct refresh){
        .image = image_of(&call->inode, NULL),
        .shares = call->inode.kind == INODE_SHARES,
        .interrupted = refresh_interrupted,
        .done = refresh_done,
    };
    catalog_refresh(call->mount->catalog, &request->refresh);
}

/* Whether WANTED asks for a mode that NODE may be said to have: a share's file is empty, its mode
 * protects nothing, and install(1), cp -p and rsync set one. */
static bool is_mode_fine(const struct tree_node *node, const struct stat *wanted)
{
    const mode_t all = S_ISUID | S_ISGID | S_ISVTX | 0777;
    mode_t mode = wanted->st_mode & all;

    if (node->inode.kind == INODE_SHARE)
        return (mode & (mode_t)~0777U) == 0;
    return mode == (node->status.st_mode & all);
}

void operation_setattr(fuse_req_t fuse, fuse_ino_t number, struct stat *wanted, int to_set,
                       struct fuse_file_info *info)
{
    const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME;
    const int now = FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;
    struct call call = {0};
    struct tree_node node = {0};
    int refusal = 0;

    (void)info;
    if (!call_begin(fuse, number, &call))
        return;
    int result = tree_stat(call.mount, call.view, &call.inode, &node);
    if (result < 0) {
        reply_error(fuse, result);
        return;
    }
    bool share = call.inode.kind == INODE_SHARE;
    bool directory = S_ISDIR(node.status.st_mode);
    if (to_set & FUSE_SET_ATTR_MODE && !is_mode_fine(&node, wanted))
        refusal = -REFUSAL_TREE_MODE;
    if ((to_set & FUSE_SET_ATTR_UID && wanted->st_uid != node.status.st_uid) ||
        (to_set & FUSE_SET_ATTR_GID && wanted->st_gid != node.status.st_gid))
        refusal = -REFUSAL_TREE_MODE;
    if (to_set & FUSE_SET_ATTR_SIZE && !share)
        refusal = -REFUSAL_TREE_ATTRIBUTE;
    else if (to_set & FUSE_SET_ATTR_SIZE && wanted->st_size > 0)
        refusal = -REFUSAL_TREE_CONTENT;
    /* Times of what is no share and no directory are the image's own. */
    if (to_set & (times | now) && !share && !directory)
        refusal = -REFUSAL_TREE_MODE;

    struct view_share own = {0};
    if (share && to_set & (times | now) && view_share(call.view, call.inode.row, &own) == 0)
        result = files_doubt(&call, &own);

    if (refusal < 0)
        change_refuse(fuse, to_set & FUSE_SET_ATTR_SIZE ? "truncate" : "setattr", &call.inode, NULL,
                      refusal);
    else if (result < 0)
        reply_error(fuse, result);
    else if (directory && (to_set & now) == now && node.status.st_nlink > 0)
        refresh(fuse, &call); /* explicit times (rsync, tar, cp -a) are accepted and ignored */
    else
        reply_unchanged(fuse, &call);
}
