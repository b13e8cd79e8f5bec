/* Telling systemd: see the header. */
#include "fs/service.h"

#include "fs/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>

void service_find(struct service *out)
{
    const char *path = getenv("NOTIFY_SOCKET");

    memset(out, 0, sizeof(*out));
    if (path && (*path == '/' || *path == '@') && path[1]) {
        size_t length = strnlen(path, sizeof(out->address.sun_path));
        if (length < sizeof(out->address.sun_path)) {
            out->address.sun_family = AF_UNIX;
            memcpy(out->address.sun_path, path, length);
            if (*path == '@') /* of the abstract namespace, where names have no NUL at the end */
                out->address.sun_path[0] = '\0';
            out->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
        }
    }
    (void)unsetenv("NOTIFY_SOCKET");
}

void service_tell(const struct service *service, const char *format, ...)
{
    char text[8192];
    va_list arguments;

    if (service->length == 0)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                         (const struct sockaddr *)&service->address, service->length) < 0)
        log_write(LOG_WARNING, "telling systemd failed: %s", strerror(errno));
}
