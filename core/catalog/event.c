/* A line of the event log: see the header. */
#include "core/catalog/event.h"

#include "core/base/text.h"
#include "core/rules/refusal.h"

#include <string.h>

static void format_outcome(struct buffer *out, const struct event *event)
{
    if (event->result == 0) {
        buffer_puts(out, " outcome=done");
        return;
    }
    const struct refusal_row *row = refusal_of(event->result);
    buffer_puts(out, " outcome=refused");
    if (row) {
        text_logfmt(out, "errno", row->error_name);
        text_logfmt(out, "code", row->code);
        text_logfmt(out, "message", row->sentence);
        return;
    }
    const char *name = strerrorname_np(-event->result);
    text_logfmt(out, "errno", name ? name : "?");
    text_logfmt(out, "message", event->detail ? event->detail : strerrordesc_np(-event->result));
}

void event_format(struct buffer *out, const struct event *event)
{
    char time[TEXT_TIME_SIZE];
    const struct caller *caller = event->caller;

    text_time(event->at_ns, 6, time);
    buffer_printf(out, "time=%s action=%s", time, event->action);
    if (event->image)
        text_logfmt(out, "image", event->image);
    if (event->name)
        text_logfmt(out, event->key, event->name);
    format_outcome(out, event);
    if (event->extra)
        buffer_puts(out, event->extra);
    if (event->repeated > 0)
        buffer_printf(out, " repeated=%lld", (long long)event->repeated);
    if (caller) {
        buffer_printf(out, " uid=%u", caller->uid);
        if (caller->process > 0)
            buffer_printf(out, " pid=%d", caller->process);
        if (caller->executable[0])
            text_logfmt(out, "exe", caller->executable);
        if (caller->has_login)
            buffer_printf(out, " login=%u", caller->login);
    }
    buffer_puts(out, "\n");
}
