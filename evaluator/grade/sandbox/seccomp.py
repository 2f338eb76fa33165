"""The system calls that model-written code is refused, as a program for the kernel's filter.

Every answer's process loads it before it runs the answer, which needs none of them. Processes are refused here and not
only by RLIMIT_NPROC, because that limit does not bind a sandbox that was started by root.
"""

import errno
import platform
import struct
from typing import NamedTuple

# Classic BPF, linux/bpf_common.h and linux/seccomp.h.
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
# struct seccomp_data, little-endian
_NUMBER_OFFSET, _ARCH_OFFSET, _FIRST_ARGUMENT_OFFSET, _SECOND_ARGUMENT_OFFSET = 0, 4, 16, 24
_AF_UNIX, _NOT_A_STREAM = 1, 0xE
_CLONE_THREAD = 0x00010000
_X32_BIT = 0x40000000
_CLONE3 = 435  # from 424 on the numbers are the same everywhere


class _Machine(NamedTuple):
    """Numbers of one architecture."""

    audit_arch: int
    clone: int
    prlimit: int
    socketpair: int
    refused: tuple[int, ...]
    refused_alone: tuple[int, ...]
    """What reaches files and processes that only namespaces keep out of sight."""


# io_uring_setup, io_uring_enter, io_uring_register, open_tree, move_mount, fsopen, fsconfig, fsmount, fspick,
# pidfd_open, pidfd_getfd, process_madvise, mount_setattr, quotactl_fd, memfd_secret, open_tree_attr
_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 440, 442, 443, 447, 467)
_MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        56,
        302,
        53,
        (
            *(57, 58, 101, 310, 311),  # fork vfork ptrace process_vm_readv process_vm_writev
            *(41,),  # socket (socketpair is allowed)
            *(272, 308, 165, 166, 155, 161),  # unshare setns mount umount2 pivot_root chroot
            *(321, 298, 323, 250, 248, 249),  # bpf perf_event_open userfaultfd keyctl add_key request_key
            *(175, 313, 176, 246, 320, 169),  # init_module finit_module delete_module kexec_load kexec_file_load reboot
            *(167, 168, 163, 179, 172, 173),  # swapon swapoff acct quotactl iopl ioperm
            *(303, 304, 300, 103),  # name_to_handle_at open_by_handle_at fanotify_init syslog
            *(227, 164, 170, 171),  # clock_settime settimeofday sethostname setdomainname
            *(159, 305, 153),  # adjtimex clock_adjtime vhangup
            *(319, 29, 64, 68, 240),  # memfd_create shmget semget msgget mq_open: memory that no limit counts
            *_EVERYWHERE,
        ),
        (
            *(90, 91, 268, 452, 92, 93, 94, 260),  # chmod and chown, in all their forms
            *(132, 235, 261, 280),  # utime utimes futimesat utimensat
            *(
                188,
                189,
                190,
                197,
                198,
                199,
                463,
                466,
                469,
            ),  # setxattr removexattr, in all their forms, file_setattr
            *(253, 254, 294),  # inotify_init inotify_add_watch inotify_init1
            *(
                141,
                144,
                142,
                203,
                314,
                251,
            ),  # setpriority sched_setscheduler _setparam _setaffinity _setattr ioprio_set
        ),
    ),
    "aarch64": _Machine(  # as above; this architecture has neither fork nor vfork, iopl nor ioperm
        0xC00000B7,
        220,
        261,
        199,
        (
            *(117, 270, 271),
            *(198,),
            *(97, 268, 40, 39, 41, 51),
            *(280, 241, 282, 219, 217, 218),
            *(105, 273, 106, 104, 294, 142),
            *(224, 225, 89, 60),
            *(264, 265, 262, 116),
            *(112, 170, 161, 162),
            *(171, 266, 58),
            *(279, 194, 190, 186, 180),
            *_EVERYWHERE,
        ),
        (*(52, 53, 452, 54, 55), 88, *(5, 6, 7, 14, 15, 16, 463, 466, 469), *(26, 27), *(140, 119, 118, 122, 274, 30)),
    ),
}


def syscall_filter(*, alone: bool = False) -> bytes | None:
    """Build the filter for this machine; None where its system call numbers are not known here.

    Args:
        alone: there are no namespaces around it, so that it has to refuse more.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return None
    # A jump counts the instructions it leaves out.
    program = [
        (_LOAD, 0, 0, _ARCH_OFFSET),
        (_IF_EQUAL, 1, 0, machine.audit_arch),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        (_IF_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL_PROCESS),
        # "No such call" makes the C library fall back to clone, whose flags can be read here.
        (_IF_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for number in (*machine.refused, *(machine.refused_alone if alone else ())):
        program += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    program += [
        # A pair of streams can reach nobody else; a datagram socket could be used to write to any other by its path.
        (_IF_EQUAL, 0, 6, machine.socketpair),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_OFFSET),
        (_IF_EQUAL, 0, 2, _AF_UNIX),
        (_LOAD, 0, 0, _SECOND_ARGUMENT_OFFSET),
        (_IF_ANY_BIT, 0, 1, _NOT_A_STREAM),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_IF_EQUAL, 0, 4, machine.prlimit),  # of itself only, which is process 0
        (_LOAD, 0, 0, _FIRST_ARGUMENT_OFFSET),
        (_IF_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_IF_EQUAL, 0, 3, machine.clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_OFFSET),
        (_IF_ANY_BIT, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
