/* Finding out the account's own pin: see jdcloud_state.h. Before the mount is there, so that it may
 * wait; a sub-account's key may be forbidden to ask for it, therefore three ways. */
#include "core/source/jdcloud_state.h"

#include "core/base/clock.h"
#include "core/base/container.h"
#include "core/base/text.h"
#include "core/rules/refusal.h"

#include <errno.h>
#include <string.h>

struct question {
    struct call call;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    bool done; /* under mutex */
    int result;
    char pin[VIEW_NAME_SIZE]; /* "" where the answer had none */
    char message[256];
};

static int take_owner(const json_t *record, void *context)
{
    struct question *question = context;
    const char *owner = json_string_value(json_object_get(record, "ownerPin"));

    if (!owner || !text_is_file_name(owner))
        return 0;
    (void)snprintf(question->pin, sizeof(question->pin), "%s", owner);
    return 1;
}

static void take_pin(struct question *question, const json_t *body)
{
    const char *pin = NULL;
    int64_t total = 0;
    int64_t count = 0;

    if (question->call.operation == CALL_LIST_IMAGES) {
        int result = api_read_images(body, take_owner, question, &total, &count);
        question->result = result < 0 ? result : 0;
        return;
    }
    question->result = api_read_pin(body, &pin);
    if (question->result == 0 && pin && text_is_file_name(pin))
        (void)snprintf(question->pin, sizeof(question->pin), "%s", pin);
}

static void question_done(struct call *call, const struct reply *reply)
{
    struct question *question = CONTAINER_OF(call, struct question, call);

    question->result = reply->result;
    (void)snprintf(question->message, sizeof(question->message), "%s", reply->message);
    if (reply->result == 0)
        take_pin(question, reply->body);
    LOCK_SCOPE(&question->mutex);
    question->done = true;
    (void)pthread_cond_signal(&question->answered);
}

/* Asks, with a call that MADE says was filled, and waits. */
static int ask(struct jdcloud *cloud, struct question *question, int made)
{
    if (made < 0)
        return made;
    question->done = false;
    question->pin[0] = '\0';
    question->call.priority = CALL_FIRST;
    question->call.deadline_ms = clock_now_ms() + cloud->timeout_ms;
    question->call.done = question_done;
    client_submit(cloud->client, &question->call);
    (void)pthread_mutex_lock(&question->mutex);
    while (!question->done)
        (void)pthread_cond_wait(&question->answered, &question->mutex);
    (void)pthread_mutex_unlock(&question->mutex);
    call_dispose(&question->call);
    return question->result;
}

/* Answers after which another way may lead there. */
static bool is_worth_another(int result)
{
    return result == 0 || result == -REFUSAL_SERVICE_FORBIDDEN ||
           result == -REFUSAL_SERVICE_REFUSED || result == -REFUSAL_SERVICE_ANSWER ||
           result == -REFUSAL_SERVICE_FAILED || result == -REFUSAL_IMAGE_GONE;
}

int jdcloud_find_pin(struct jdcloud *cloud, char pin[VIEW_NAME_SIZE], struct buffer *error)
{
    struct question question = {.done = false};
    struct call *call = &question.call;

    (void)pthread_mutex_init(&question.mutex, NULL);
    (void)pthread_cond_init(&question.answered, NULL);
    int result = ask(cloud, &question, api_pin(call, cloud->region, cloud->credentials.access_key));
    if (is_worth_another(result) && !question.pin[0])
        result = ask(cloud, &question, api_user(call));
    if (is_worth_another(result) && !question.pin[0])
        result = ask(cloud, &question, api_list_images(call, cloud->region, "private", 1));
    (void)pthread_cond_destroy(&question.answered);
    (void)pthread_mutex_destroy(&question.mutex);

    const struct refusal_row *row = refusal_of(result);
    if (result < 0) {
        buffer_printf(error, "jdcloud:%s: %s", cloud->region,
                      row ? row->sentence : strerror(-result));
        if (question.message[0])
            buffer_printf(error, " (%s)", question.message);
        if (row)
            buffer_printf(error, "; %s", row->remedy);
        return -refusal_errno(result);
    }
    if (!question.pin[0]) {
        buffer_printf(
            error,
            "jdcloud:%s: the cloud does not tell this key's User Pin (it is forbidden, and "
            "there is no image); name it with -o account=PIN",
            cloud->region);
        return -EACCES;
    }
    (void)snprintf(pin, VIEW_NAME_SIZE, "%s", question.pin);
    return 0;
}
