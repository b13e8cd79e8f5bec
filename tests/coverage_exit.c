/* _exit() of a build that counts: writes the counts first. Put before the real one by the linker's
 * --wrap; see tests/coverage. */

void __gcov_dump(void);

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
