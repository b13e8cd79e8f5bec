/* What must outlast a loss of power: see the header. */
#include "core/base/disk.h"

#include "core/base/cleanup.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void disk_sync_name(const char *path)
{
    CLEANUP_FREE char *copy = strdup(path);
    CLEANUP_CLOSE int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0)
        (void)fsync(fd);
}
