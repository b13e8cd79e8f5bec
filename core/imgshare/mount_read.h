/*
 * Reading a mount of imgsharefs through its files, whatever its source is: what plans and audits
 * need.
 *
 * A list of a cloud may be old: mount_refresh() has the mount ask, and nothing that a list says is
 * believed before. Paths are relative to the mount point. Functions return 0 or a negative errno
 * unless they say more; with ERROR it is set, and names the path.
 */
#ifndef CORE_IMGSHARE_MOUNT_READ_H
#define CORE_IMGSHARE_MOUNT_READ_H

#include "core/base/names.h"
#include "core/imgshare/mount_find.h"

#include <stdint.h>

struct mount_reader {
    int fd; /* of the mount point */
    struct mount mount;
    char *pin;     /* of the account that is mounted */
    bool cloud;    /* its lists must be refreshed before they are believed */
    bool settling; /* news of a refresh may not be seen yet: see mount_settle() */
    bool no_cancel;
    int64_t max_cancel; /* of one image by one process in a minute; 0 = no limit */
    bool has_allow_list;
    int64_t opened_ns;
};

/* Opens the mount whose mount point PATH is (not a path inside it). To be closed also where it
 * fails. */
int mount_open(const char *path, struct mount_reader *out, struct buffer *error) MUST_CHECK;

void mount_close(struct mount_reader *reader);

/* Reads the file PATH, without the newline at its end. */
int mount_file(const struct mount_reader *reader, const char *path, struct buffer *out) MUST_CHECK;

/* Lists the directory PATH, sorted. */
int mount_names(const struct mount_reader *reader, const char *path, struct names *out) MUST_CHECK;

/* Appends the value of the line "KEY: value" in TEXT, one of the file status. Whether it is there.
 */
bool mount_value(const char *text, const char *key, struct buffer *out);

/* Has the mount ask its source what the directory PATH (private, shared, or private/IMAGE/shares)
 * lists. Where this user may not, or the mount is read-only, a list that is no older than five
 * minutes will do. */
int mount_refresh(struct mount_reader *reader, const char *path, struct buffer *error) MUST_CHECK;

/* The same of the shares of own image ID, unless they were confirmed since READER was opened: a list
 * of images confirms those that are shared with nobody. */
int mount_refresh_shares(struct mount_reader *reader, const char *id,
                         struct buffer *error) MUST_CHECK;

/* What was confirmed before now counts as old from now on, for mount_refresh_shares(). With a cloud
 * this waits for the next full second, as the times of confirmation have no fractions: an audit need
 * not ask for each image then that its list has confirmed. */
void mount_begin(struct mount_reader *reader);

/* Waits until what refreshes have found can be seen everywhere. (A directory shares/ shows it at
 * once.) */
void mount_settle(struct mount_reader *reader);

/* Says in ERROR that PATH in the mount gave RESULT, and returns that. */
int mount_explain(const struct mount_reader *reader, const char *path, int result,
                  struct buffer *error);

/* The path of FILE of own image ID ("private/ID/FILE") in OUT, which is emptied first. */
const char *mount_path(struct buffer *out, const char *id, const char *file);

/* What separates the lists of unsettled changes and of unlistable pins in status: calls VISIT with
 * what follows the key in each line "KEY: ..." whose key begins with KEY. The visitor returns 0 to
 * go on. */
typedef int (*mount_line)(const char *rest, void *context);
int mount_lines(const char *text, const char *key, mount_line visit, void *context);

#define CLEANUP_READER __attribute__((cleanup(mount_close)))

/* Room for any path in a mount, and for one that is escaped. */
#define MOUNT_PATH_MAX ((size_t)4096)
#define MOUNT_TEXT_MAX ((size_t)4 * MOUNT_PATH_MAX)

#endif
