/* The refusal table: see the header. */
#include "core/rules/refusal.h"

#include <errno.h>
#include <string.h>

#define ROW(refusal, scope, error, code, sentence, remedy)                                         \
    {                                                                                              \
        refusal, scope, error, #error, code, sentence, remedy                                      \
    }

#define BOTH (REFUSAL_SHARE | REFUSAL_CANCEL)

static const struct refusal_row table[] = {
    ROW(REFUSAL_IMAGE_PENDING, REFUSAL_SHARE, EBUSY, "image-pending",
        "the image is pending; only an available image can be shared",
        "wait until the file status says available, then share again"),
    ROW(REFUSAL_IMAGE_DELETING, REFUSAL_SHARE, EOPNOTSUPP, "image-deleting",
        "the image is being deleted; it will not become available", "share another image"),
    ROW(REFUSAL_IMAGE_ERROR, REFUSAL_SHARE, EOPNOTSUPP, "image-error",
        "the image is in error; it will not become available",
        "make the image anew and share that one; this one can only be deleted"),
    ROW(REFUSAL_IMAGE_SNAPSHOT, REFUSAL_SHARE, EOPNOTSUPP, "image-snapshot",
        "the image references a snapshot and cannot be shared",
        "make an image without a snapshot, or let the registry's keeper allow snapshots"),
    ROW(REFUSAL_IMAGE_ENCRYPTED, REFUSAL_SHARE, EOPNOTSUPP, "image-encrypted",
        "the image references an encrypted snapshot and cannot be shared",
        "make an image from disks that are not encrypted"),
    ROW(REFUSAL_IMAGE_RELEASED, REFUSAL_SHARE, EOPNOTSUPP, "image-released",
        "the image is released to everyone and cannot be shared with single accounts",
        "withdraw the release first"),
    ROW(REFUSAL_IMAGE_LIMIT, REFUSAL_SHARE, EDQUOT, "image-limit",
        "the image is shared with as many accounts as it may be",
        "cancel a share that is no longer needed; the file quota shows used and limit"),
    ROW(REFUSAL_IMAGE_GONE, BOTH, ENOENT, "image-gone", "the image does not exist any more",
        "list private/ again"),
    ROW(REFUSAL_NOT_OWNER, BOTH, EACCES, "not-owner",
        "only the owner can share or cancel; a shared image cannot be shared again",
        "ask the account in the file owner"),
    ROW(REFUSAL_NO_ACCOUNT, REFUSAL_SHARE, ENXIO, "no-account", "JD Cloud account does not exist",
        "check the User Pin: its owner finds it in the user center, or in account/pin of a mount"),
    ROW(REFUSAL_MOBILE_NUMBER, REFUSAL_SHARE, EINVAL, "mobile-number",
        "the name is a mobile number of an account, not its User Pin",
        "ask the recipient for the User Pin"),
    ROW(REFUSAL_OWN_PIN, REFUSAL_SHARE, EINVAL, "own-pin",
        "the name is this account's own pin; an image is not shared with its owner",
        "use the recipient's User Pin"),
    ROW(REFUSAL_PIN_INVALID, REFUSAL_SHARE, EINVAL, "pin-invalid",
        "the name cannot be a User Pin: it is not UTF-8, begins with . or -, or holds white space, "
        "a control or a shell character",
        "check the spelling; a pin that really looks like this can be put on the allow-list"),
    ROW(REFUSAL_PIN_LEFTOVER, REFUSAL_SHARE, EINVAL, "pin-leftover",
        "the name is what a program leaves behind, not a User Pin",
        "let the program write in place (rsync --inplace); a pin that really looks like this can "
        "be put on the allow-list"),
    ROW(REFUSAL_PIN_TOO_LONG, REFUSAL_SHARE, ENAMETOOLONG, "pin-too-long",
        "the name is longer than 255 bytes", "check the spelling"),
    ROW(REFUSAL_PIN_UNLISTED, REFUSAL_SHARE, EPERM, "pin-unlisted",
        "the pin is not in the allow-list of this mount",
        "add it to the file given as allow= and send the daemon SIGHUP"),
    ROW(REFUSAL_SHARED, REFUSAL_SHARE | REFUSAL_KERNEL, EEXIST, "already-shared",
        "the image is shared with this account already, and the caller asked for a new entry",
        "nothing: the share is there"),
    ROW(REFUSAL_NOT_SHARED, REFUSAL_CANCEL | REFUSAL_KERNEL, ENOENT, "not-shared",
        "the image is not shared with this account", "nothing: there is no share to cancel"),
    ROW(REFUSAL_CANCEL_OFF, REFUSAL_CANCEL, EPERM, "cancel-off",
        "this mount does not cancel shares (nocancel)", "cancel on a mount without that option"),
    ROW(REFUSAL_CANCEL_LIMIT, REFUSAL_CANCEL, EPERM, "cancel-limit",
        "this process has cancelled as many shares of this image as it may in a minute (maxcancel)",
        "look whether it was meant; then go on in a minute, or mount with a higher maxcancel"),
    ROW(REFUSAL_CANCEL_RECURSIVE, REFUSAL_CANCEL, EPERM, "cancel-recursive",
        "part of a recursive delete: this process has just tried to remove the image's directory",
        "to cancel shares remove them by name: rm IMAGE/shares/PIN"),
    ROW(REFUSAL_READ_ONLY, BOTH | REFUSAL_KERNEL, EROFS, "read-only",
        "the mount or its store is read-only", "mount it read-write"),
    ROW(REFUSAL_STORE_FULL, BOTH, ENOSPC, "store-full", "the disk of the store is full",
        "make room there; nothing was changed"),
    ROW(REFUSAL_STORE_DAMAGED, BOTH, EIO, "store-damaged",
        "the store cannot be read or written: damaged, or its disk is",
        "run imgshare check, then restore a backup"),
    ROW(REFUSAL_STORE_REPLACED, BOTH, EIO, "store-replaced",
        "the store's file or its log was moved, removed or replaced while open; nothing was "
        "changed",
        "unmount it, see that the right file is in its place, and mount it again"),
    ROW(REFUSAL_STORE_LOCKED, BOTH, ETIMEDOUT, "store-locked",
        "another program has held the store's lock for too long; nothing was changed",
        "find it with: fuser REGISTRY-lock"),
    ROW(REFUSAL_INTERRUPTED, BOTH, EINTR, "interrupted",
        "interrupted by a signal before an answer came", "try again"),
    ROW(REFUSAL_SERVICE_BUSY, BOTH, EBUSY, "service-busy",
        "another task of the cloud holds the image", "try again when that task has ended"),
    ROW(REFUSAL_SERVICE_KEY, BOTH, EKEYREJECTED, "service-key",
        "the cloud rejects the access key or its signature",
        "check the key, and that this machine's clock is right (timedatectl)"),
    ROW(REFUSAL_SERVICE_FORBIDDEN, BOTH, EACCES, "service-forbidden",
        "the cloud forbids this to the access key",
        "let the account's administrator grant vm:shareImage, unShareImage and describeImage*"),
    ROW(REFUSAL_SERVICE_RATE, BOTH, EAGAIN, "service-rate",
        "too many requests to the cloud in this minute", "try again in a minute"),
    ROW(REFUSAL_SERVICE_TIMEOUT, BOTH, ETIMEDOUT, "service-timeout",
        "the cloud has not answered in time; what became of the change is being found out",
        "look into status: it says whether the cloud is there, and what is unsettled"),
    ROW(REFUSAL_SERVICE_NO_HOST, BOTH, EHOSTUNREACH, "service-no-host",
        "the cloud's host has no address, or no way leads to it", "check the network and the DNS"),
    ROW(REFUSAL_SERVICE_NO_NETWORK, BOTH, ENETUNREACH, "service-no-network",
        "there is no network to the cloud", "check the network"),
    ROW(REFUSAL_SERVICE_CLOSED, BOTH, ECONNREFUSED, "service-closed",
        "the cloud's host takes no connections", "check endpoint= and proxy=, or wait"),
    ROW(REFUSAL_SERVICE_TLS, BOTH, EPROTO, "service-tls",
        "no trusted connection to the cloud can be made (TLS)",
        "check cacert=, proxy= and the clock; status holds the reason"),
    ROW(REFUSAL_SERVICE_FAILED, BOTH, EREMOTEIO, "service-failed", "the cloud's service failed",
        "try again later; status holds its own words"),
    ROW(REFUSAL_SERVICE_ANSWER, BOTH, EBADMSG, "service-answer",
        "the cloud's answer cannot be understood",
        "check endpoint= and proxy=: something else may be answering"),
    ROW(REFUSAL_SERVICE_REFUSED, BOTH, EREMOTEIO, "service-refused",
        "the cloud refuses it for a reason of its own", "read its words in events"),
    ROW(REFUSAL_TREE_CREATE, REFUSAL_TREE, EPERM, "tree-create",
        "only shares can be made here, as empty files in an image's shares/",
        "touch IMAGE/shares/PIN"),
    ROW(REFUSAL_TREE_REMOVE, REFUSAL_TREE, EPERM, "tree-remove",
        "only shares can be removed here; images and their files are the registry's",
        "rm IMAGE/shares/PIN cancels one share"),
    ROW(REFUSAL_TREE_RENAME, REFUSAL_TREE, EPERM, "tree-rename",
        "nothing can be renamed here; a share belongs to its image and its pin",
        "share with the one (touch), then cancel the other (rm)"),
    ROW(REFUSAL_TREE_ATTRIBUTE, REFUSAL_TREE, EACCES, "tree-attribute",
        "this file can only be read", "change the image itself, in the console or by import"),
    ROW(REFUSAL_TREE_CONTENT, REFUSAL_TREE, EFBIG, "tree-content",
        "a share is an empty file and holds nothing", "touch it, or use : > PIN"),
    ROW(REFUSAL_TREE_MODE, REFUSAL_TREE, EPERM, "tree-mode",
        "owner, special mode bits, and modes of what is no share cannot be changed",
        "mount with uid=, gid= and umask="),
};

#define ROWS (sizeof(table) / sizeof(table[0]))

_Static_assert(ROWS == REFUSAL_END - REFUSAL_IMAGE_PENDING, "every refusal has its row");

const struct refusal_row *refusal_find(enum refusal refusal)
{
    for (size_t i = 0; i < ROWS; i++)
        if (table[i].refusal == refusal)
            return &table[i];
    return NULL;
}

const struct refusal_row *refusal_find_code(const char *code)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(table[i].code, code) == 0)
            return &table[i];
    return NULL;
}

const struct refusal_row *refusal_at(size_t index)
{
    return index < ROWS ? &table[index] : NULL;
}

const struct refusal_row *refusal_of(int result)
{
    return result < 0 ? refusal_find((enum refusal) - result) : NULL;
}

int refusal_errno(int result)
{
    const struct refusal_row *row = refusal_of(result);

    if (row)
        return row->error;
    return result < 0 ? -result : 0;
}

const char *refusal_sentence(int result)
{
    const struct refusal_row *row = refusal_of(result);

    return row ? row->sentence : strerrordesc_np(-result);
}

bool refusal_is_fault(enum refusal refusal)
{
    return refusal == REFUSAL_STORE_FULL || refusal == REFUSAL_STORE_DAMAGED ||
           refusal == REFUSAL_STORE_REPLACED || refusal == REFUSAL_STORE_LOCKED ||
           refusal == REFUSAL_INTERRUPTED;
}
