/* What ends a program past its own end, in a build that counts: writes the counts first. Put before
 * the real functions by the linker's --wrap; see tests/coverage. */
#include <signal.h>

void __gcov_dump(void);
void __gcov_reset(void);

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}

int __real_sigprocmask(int how, const sigset_t *set, sigset_t *before);
int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *before);

/* A signal that was held back may end the program. If not, it goes on counting. */
int __wrap_sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
    if (how == SIG_UNBLOCK) {
        __gcov_dump();
        __gcov_reset();
    }
    return __real_sigprocmask(how, set, before);
}
