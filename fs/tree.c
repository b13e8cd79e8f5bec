/* The tree: see the header. */
#include "fs/tree.h"

#include "core/catalog/attribute.h"
#include "core/catalog/by_name.h"
#include "core/catalog/report.h"
#include "core/rules/refusal.h"

#include <errno.h>
#include <string.h>

/* Before the umask, whose default is 022: as with other filesystems without modes of their own,
 * umask=002 lets the group share. */
#define MODE_DIRECTORY (S_IFDIR | 0777)
#define MODE_SHARE (S_IFREG | 0666)
#define MODE_FILE (S_IFREG | 0444)
#define MODE_EVENTS (S_IFREG | 0440)
#define MODE_LINK (S_IFLNK | 0777)

/* The size that stat shows is rounded to nothing; this is what read(2) is asked in. */
#define BLOCK_SIZE 4096

static const struct tree_fixed fixed[] = {
    {INODE_ROOT, INODE_README, "README"},    {INODE_ROOT, INODE_ACCOUNT, "account"},
    {INODE_ROOT, INODE_STATUS, "status"},    {INODE_ROOT, INODE_EVENTS, "events"},
    {INODE_ROOT, INODE_BY_NAME, "by-name"},  {INODE_ROOT, INODE_BY_ACCOUNT, "by-account"},
    {INODE_ROOT, INODE_PRIVATE, "private"},  {INODE_ROOT, INODE_SHARED, "shared"},
    {INODE_ACCOUNT, INODE_PIN, "pin"},       {INODE_BY_NAME, INODE_NAMES, "private"},
    {INODE_BY_NAME, INODE_OWNERS, "shared"},
};

const struct tree_fixed *tree_fixed_at(size_t index)
{
    return index < sizeof(fixed) / sizeof(fixed[0]) ? &fixed[index] : NULL;
}

static struct timespec time_of(int64_t nanoseconds)
{
    int64_t rest = nanoseconds % 1000000000;
    int64_t borrowed = rest < 0; /* before 1970 */

    return (struct timespec){.tv_sec = (time_t)(nanoseconds / 1000000000 - borrowed),
                             .tv_nsec = (long)(rest + borrowed * 1000000000)};
}

static void make(const struct mount *mount, enum inode_kind kind, unsigned attribute, int64_t row,
                 mode_t mode, int64_t size, int64_t mtime_ns, struct tree_node *out)
{
    mode_t mask = S_ISLNK(mode) ? 0 : mount->umask;

    *out = (struct tree_node){
        .inode = {.kind = kind, .attribute = attribute, .row = row},
        .entry_timeout = mount_timeout(mount),
        .status =
            {
                .st_mode = mode & ~mask,
                .st_nlink = 1,
                .st_uid = mount->uid,
                .st_gid = mount->gid,
                .st_size = size,
                .st_blksize = BLOCK_SIZE,
                .st_atim = time_of(mtime_ns),
                .st_mtim = time_of(mtime_ns),
                .st_ctim = time_of(mtime_ns),
            },
    };
    out->status.st_ino =
        kind == INODE_ATTRIBUTE ? inode_attribute(attribute, row) : inode_number(kind, row);
    out->attr_timeout = out->entry_timeout;
}

/* Views of the same things by other keys are not kept by the kernel: they are asked for seldom, and
 * would need an invalidation of their own for each change. */
static void keep_nothing(struct tree_node *node)
{
    node->entry_timeout = 0;
    node->attr_timeout = 0;
}

static bool is_kept(enum inode_kind kind)
{
    return kind != INODE_NAMES && kind != INODE_OWNERS && kind != INODE_BY_ACCOUNT &&
           kind != INODE_OWNER && kind != INODE_RECIPIENT;
}

void tree_make_directory(const struct mount *mount, enum inode_kind kind, int64_t row,
                         int64_t mtime_ns, struct tree_node *out)
{
    make(mount, kind, 0, row, MODE_DIRECTORY, 0, mtime_ns, out);
    if (!is_kept(kind))
        keep_nothing(out);
}

void tree_make_image(const struct mount *mount, int64_t row, int64_t added_ns,
                     struct tree_node *out)
{
    tree_make_directory(mount, INODE_IMAGE, row, added_ns, out);
}

void tree_make_share(const struct mount *mount, int64_t row, int64_t created_ns,
                     struct tree_node *out)
{
    make(mount, INODE_SHARE, 0, row, MODE_SHARE, 0, created_ns, out);
}

/* How a link of KIND reaches the images. */
static const char *link_prefix(enum inode_kind kind)
{
    return kind == INODE_OWNER_NAME ? "../../../shared/" : "../../private/";
}

void tree_make_link(const struct mount *mount, enum inode_kind kind, int64_t row, const char *id,
                    int64_t mtime_ns, struct tree_node *out)
{
    make(mount, kind, 0, row, MODE_LINK, (int64_t)(strlen(link_prefix(kind)) + strlen(id)),
         mtime_ns, out);
    keep_nothing(out);
}

void tree_make_attribute(const struct mount *mount, const struct view_image *image,
                         unsigned attribute, int64_t size, struct tree_node *out)
{
    struct inode inode = {.kind = INODE_ATTRIBUTE, .attribute = attribute};
    bool derived = tree_is_derived(&inode);
    /* A derived one also changes with the image's shares. */
    int64_t mtime_ns =
        derived && image->shares_ns > image->changed_ns ? image->shares_ns : image->changed_ns;

    make(mount, INODE_ATTRIBUTE, attribute, image->row, MODE_FILE, size, mtime_ns, out);
    if (derived)
        out->attr_timeout = 0;
}

/* A file whose content says how long it is. IMAGE is that of an attribute, else NULL. */
static int make_file(struct mount *mount, struct view *view, const struct inode *inode,
                     const struct view_image *image, struct tree_node *out)
{
    CLEANUP_BUFFER struct buffer content = BUFFER_INIT(ATTRIBUTE_MAX);
    int result = tree_content(mount, view, inode, &content);

    if (result < 0)
        return result;
    if (image) {
        tree_make_attribute(mount, image, inode->attribute, (int64_t)content.length, out);
        return 0;
    }
    make(mount, inode->kind, 0, 0, MODE_FILE, (int64_t)content.length, mount->catalog->opened_ns,
         out);
    if (tree_is_derived(inode))
        out->attr_timeout = 0;
    return 0;
}

static int stat_events(struct mount *mount, struct view *view, struct tree_node *out)
{
    int64_t size = 0;
    int64_t mtime_ns = 0;
    int result = report_events_size(mount->catalog, view, &size, &mtime_ns);

    if (result < 0)
        return result;
    make(mount, INODE_EVENTS, 0, 0, MODE_EVENTS, size, mtime_ns, out);
    out->attr_timeout = 0;
    return 0;
}

/* The directories that the account's row has the times of. */
static int stat_account(struct mount *mount, struct view *view, enum inode_kind kind,
                        struct tree_node *out)
{
    struct view_account account = {0};
    int result = view_account(view, &account);

    if (result < 0)
        return result == -ENOENT ? -REFUSAL_STORE_DAMAGED : result;
    int64_t mtime_ns = kind == INODE_PRIVATE  ? account.private_ns
                       : kind == INODE_SHARED ? account.received_ns
                       : kind == INODE_NAMES  ? account.names_ns
                       : kind == INODE_OWNERS ? account.owners_ns
                                              : account.recipients_ns;
    tree_make_directory(mount, kind, 0, mtime_ns, out);
    return 0;
}

int tree_stat_in_image(struct mount *mount, struct view *view, const struct inode *inode,
                       const struct view_image *image, struct tree_node *out)
{
    switch ((int)inode->kind) {
    case INODE_IMAGE:
        tree_make_image(mount, image->row, image->added_ns, out);
        return 0;
    case INODE_SHARES:
        tree_make_directory(mount, INODE_SHARES, image->row, image->shares_ns, out);
        return 0;
    case INODE_ATTRIBUTE:
        return make_file(mount, view, inode, image, out);
    default: /* INODE_NAME, INODE_OWNER_NAME */
        tree_make_link(mount, inode->kind, image->row, image->id, image->changed_ns, out);
        return 0;
    }
}

static int stat_image(struct mount *mount, struct view *view, const struct inode *inode,
                      struct tree_node *out)
{
    struct view_image image = {0};
    int result = view_image(view, inode->row, &image);

    return result < 0 ? result : tree_stat_in_image(mount, view, inode, &image, out);
}

/* A share that is gone, but still open in this mount: it has no name any more. */
static int stat_share(struct mount *mount, struct view *view, const struct inode *inode,
                      struct tree_node *out)
{
    struct view_share share = {0};
    int64_t created_ns = 0;
    int result = view_share(view, inode->row, &share);

    if (result == 0)
        tree_make_share(mount, share.row, share.created_ns, out);
    if (result != -ENOENT ||
        !tally_has(&mount->opens, inode_number(INODE_SHARE, inode->row), &created_ns))
        return result;
    tree_make_share(mount, inode->row, created_ns, out);
    out->status.st_nlink = 0;
    return 0;
}

/* The image behind a link of by-account/. */
static int shared_image(struct view *view, int64_t row, struct view_share *share,
                        struct view_image *image)
{
    int result = view_share(view, row, share);

    return result < 0 ? result : view_image(view, share->image, image);
}

static int stat_any(struct mount *mount, struct view *view, const struct inode *inode,
                    struct tree_node *out)
{
    struct view_recipient recipient = {0};
    struct view_share share = {0};
    struct view_image image = {0};
    int result = 0;

    switch (inode->kind) {
    case INODE_ROOT:
    case INODE_ACCOUNT:
    case INODE_BY_NAME:
        tree_make_directory(mount, inode->kind, 0, mount->catalog->opened_ns, out);
        return 0;
    case INODE_README:
    case INODE_PIN:
    case INODE_STATUS:
        return make_file(mount, view, inode, NULL, out);
    case INODE_EVENTS:
        return stat_events(mount, view, out);
    case INODE_NAMES:
    case INODE_OWNERS:
    case INODE_BY_ACCOUNT:
    case INODE_PRIVATE:
    case INODE_SHARED:
        return stat_account(mount, view, inode->kind, out);
    case INODE_IMAGE:
    case INODE_SHARES:
    case INODE_NAME:
    case INODE_OWNER_NAME:
    case INODE_ATTRIBUTE:
        return stat_image(mount, view, inode, out);
    case INODE_SHARE:
        return stat_share(mount, view, inode, out);
    case INODE_OWNER:
    case INODE_RECIPIENT:
        result = view_recipient(view, inode->row, &recipient);
        if (result == 0)
            tree_make_directory(mount, inode->kind, recipient.row, recipient.changed_ns, out);
        return result;
    case INODE_RECIPIENT_IMAGE:
        result = shared_image(view, inode->row, &share, &image);
        if (result == 0)
            tree_make_link(mount, inode->kind, share.row, image.id, share.created_ns, out);
        return result;
    default:
        return -ENOENT;
    }
}

int tree_stat(struct mount *mount, struct view *view, const struct inode *inode,
              struct tree_node *out)
{
    int result = stat_any(mount, view, inode, out);

    return result == -ENOENT ? -ESTALE : result;
}

bool tree_is_derived(const struct inode *inode)
{
    if (inode->kind != INODE_ATTRIBUTE)
        return inode->kind == INODE_STATUS || inode->kind == INODE_EVENTS;
    const struct attribute *attribute = attribute_by_number(inode->attribute);
    return !attribute || attribute->derived;
}

int tree_content(struct mount *mount, struct view *view, const struct inode *inode,
                 struct buffer *out)
{
    struct catalog *catalog = mount->catalog;
    struct attribute_image image = {0};
    int result = 0;

    switch ((int)inode->kind) {
    case INODE_README:
        buffer_puts(out, report_readme());
        return 0;
    case INODE_PIN:
        text_escape(out, catalog->pin);
        buffer_puts(out, "\n");
        return 0;
    case INODE_STATUS:
        return report_status(catalog, view, out);
    case INODE_ATTRIBUTE:
        break;
    default:
        return -EINVAL;
    }
    const struct attribute *attribute = attribute_by_number(inode->attribute);
    if (!attribute)
        return -ESTALE;
    result = attribute_open(catalog, view, inode->row, &image);
    if (result == 0)
        result = attribute->shared_only && image.record.owned
                     ? -ENOENT
                     : attribute_format(&image, attribute, out);
    attribute_close(&image);
    return result == -ENOENT ? -ESTALE : result;
}

int tree_readlink(struct mount *mount, struct view *view, const struct inode *inode,
                  struct buffer *out)
{
    struct view_share share = {0};
    struct view_image image = {0};
    int result = 0;

    (void)mount;
    switch ((int)inode->kind) {
    case INODE_NAME:
    case INODE_OWNER_NAME:
        result = view_image(view, inode->row, &image);
        break;
    case INODE_RECIPIENT_IMAGE:
        result = shared_image(view, inode->row, &share, &image);
        break;
    default:
        return -EINVAL;
    }
    if (result < 0)
        return result == -ENOENT ? -ESTALE : result;
    if (!text_is_file_name(image.id)) /* it would lead elsewhere, out of the mount perhaps */
        return -REFUSAL_STORE_DAMAGED;
    buffer_printf(out, "%s%s", link_prefix(inode->kind), image.id);
    return buffer_failed(out) ? -ENOMEM : 0;
}
