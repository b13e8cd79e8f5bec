/*
 * What must outlast a loss of power, beyond the content of a file.
 */
#ifndef CORE_BASE_DISK_H
#define CORE_BASE_DISK_H

/* Has the name PATH, as it is in its directory now, on the disk. Best effort: some file systems have
 * no such thing, and what is in the file is not this call's business. */
void disk_sync_name(const char *path);

#endif
