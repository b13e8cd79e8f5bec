/* imgshare graph: the picture of who has what. */
#include "core/imgshare/command.h"

#include "core/base/text.h"
#include "core/imgshare/graph_read.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum option_value {
    OPTION_SVG = COMMAND_OPTION,
};

static const struct option options[] = {
    {"svg", no_argument, NULL, OPTION_SVG},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* A picture of a million images that are all different has no more nodes than one of few. */
#define OUTPUT_MAX ((size_t)1 << 28)

/* Starts "dot -Tsvg" reading from the pipe whose other end is *TO. 0, or an errno. */
static int start_dot(int *to, pid_t *child)
{
    static const char *const words[] = {"dot", "-Tsvg", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t broken_pipe;
    int ends[2] = {-1, -1};

    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    (void)sigemptyset(&broken_pipe);
    (void)sigaddset(&broken_pipe, SIGPIPE);
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = posix_spawnattr_init(&attributes);
        if (error == 0) {
            /* dot dies of it, as it is used to. */
            error = posix_spawnattr_setsigdefault(&attributes, &broken_pipe);
            if (error == 0)
                error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
            if (error == 0)
                error = posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
            if (error == 0)
                error = posix_spawnp(child, words[0], &actions, &attributes,
                                     (char *const *)(uintptr_t)words, environ);
            (void)posix_spawnattr_destroy(&attributes);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)close(ends[0]);
    if (error == 0)
        *to = ends[1];
    else
        (void)close(ends[1]);
    return error;
}

/* Writes all of TEXT to FD. 0, or an errno. */
static int write_all(int fd, const struct buffer *text)
{
    for (size_t done = 0; done < text->length;) {
        ssize_t wrote = write(fd, text->text + done, text->length - done);
        if (wrote < 0 && errno != EINTR)
            return errno;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

/* Has dot draw DOT on standard output. */
static int draw(const struct buffer *dot)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    pid_t child = 0;
    int to = -1;
    int status = 0;
    int result = start_dot(&to, &child);

    if (result == ENOENT)
        buffer_puts(&error, "--svg needs the program dot; install the package graphviz");
    else if (result != 0)
        buffer_printf(&error, "dot: %s", strerrordesc_np(result));
    if (result != 0)
        return command_failed(&error);
    int wrote = write_all(to, dot);
    (void)close(to);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && wrote == 0)
        return STATUS_OK;
    if (WIFSIGNALED(status))
        buffer_printf(&error, "dot: ended by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        buffer_printf(&error, "dot: exit status %d", WEXITSTATUS(status));
    else
        buffer_printf(&error, "dot: %s", strerrordesc_np(wrote));
    return command_failed(&error);
}

/* Reads PATH, a registry, or where something is mounted, into GRAPH, and prints that into DOT. */
static int make_graph(const char *path, struct mount_reader *reader, struct buffer *dot,
                      struct buffer *error)
{
    CLEANUP_GRAPH struct graph graph = {0};
    CLEANUP_BUFFER struct buffer source = BUFFER_INIT(COMMAND_ERROR_MAX);
    struct stat status;
    bool mounted = stat(path, &status) == 0 ? S_ISDIR(status.st_mode) : errno == ENOTCONN;
    int result = 0;

    if (mounted) {
        result = mount_open(path, reader, error);
        if (result == 0)
            result = graph_read_mount(&graph, reader, error);
        buffer_puts(&source, reader->mount.source ? reader->mount.source : "");
    } else {
        result = graph_read_registry(&graph, path, error);
        buffer_puts(&source, path);
    }
    if (result == 0)
        result = buffer_failed(&source) ? -ENOMEM : 0;
    if (result == 0)
        result = graph_print(&graph, buffer_text(&source), dot);
    if (result < 0 && error->length == 0)
        buffer_puts(error, strerrordesc_np(-result));
    return result;
}

static int run(const struct command *command, int argc, char **argv)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(COMMAND_ERROR_MAX);
    CLEANUP_BUFFER struct buffer dot = BUFFER_INIT(OUTPUT_MAX);
    CLEANUP_READER struct mount_reader reader = {.fd = -1};
    bool svg = false;
    int option = 0;

    while ((option = command_option(command, argc, argv, options)) > 0 && option != '?')
        svg = true;
    if (option != -1)
        return command_end(option);
    if (!command_words(command, argc, argv, 1, 1, "REGISTRY|MOUNTPOINT"))
        return STATUS_USAGE;
    if (make_graph(argv[optind], &reader, &dot, &error) < 0)
        return command_failed(&error);
    if (svg)
        return draw(&dot);
    return command_print(&dot);
}

const struct command command_graph = {
    .name = "graph",
    .words = "REGISTRY|MOUNTPOINT [--svg]",
    .summary = "Draws accounts, images, and who may use what",
    .help =
        "  --svg   a picture (SVG) instead of Graphviz' language; needs graphviz\n"
        "\n"
        "Of a registry all accounts are drawn; of a mount what it knows, without a refresh. "
        "Images\n"
        "of one owner, state and set of accounts are one node, and so are accounts that can use "
        "the\n"
        "same images. Dashed is what was not confirmed for five minutes, red the last share of an\n"
        "image where that was refused. Where there would be too many nodes, it shows how many "
        "images\n"
        "each account can use, and accounts with few are drawn together.\n",
    .run = run,
};
