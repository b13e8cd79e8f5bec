"""What has to do with the process: that it ends with its parent, and tells when it is ready."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent):
    """Ends this process when its parent ends. parent: its id as it was at the very start."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        # It was gone before the kernel was told.
        os.kill(os.getpid(), signal.SIGTERM)


def write_ready(path, values):
    """A file of NAME=VALUE lines that is there as a whole or not at all."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    os.rename(temporary, path)
