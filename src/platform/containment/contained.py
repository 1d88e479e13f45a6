"""Becomes a command that sees no more of this machine than it needs.

usage: contained.py LIMITS_JSON COMMAND [ARGUMENT...]
       contained.py --probe

LIMITS_JSON: {"read": [path, ...], "write": [path, ...], "bind": [port, ...], "connect": [port, ...] | null,
              "user": number | null, "processes": number | null, "file_bytes": number, "modes": boolean}

The kernel's Landlock lets it read and run what lies below `read`, write what lies below `write`, listen at `bind` and
connect to `connect` (null: anywhere); a path that does not exist is left out. A seccomp filter keeps it from other sockets
than the Internet's, from tracing, mounting, new namespaces and changed rights, but for the modes of its own files where
`modes` is true, as installers change them. As root it becomes the number `user` and
keeps one capability, to read what Landlock lets it read. What an older kernel lacks is left out; --probe tells what there
is, as JSON, and without Landlock or seccomp the command is not run.

exit codes: 125 it cannot be contained, 126 it cannot be executed; the reason is on standard error
"""

import ctypes
import errno
import json
import os
import resource
import struct
import sys

NOT_CONTAINED = 125
NOT_EXECUTABLE = 126

libc = ctypes.CDLL(None, use_errno=True)

# https://docs.kernel.org/userspace-api/landlock.html
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
READ = EXECUTE | READ_FILE | READ_DIR
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
BIND_TCP, CONNECT_TCP = 1, 2
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2

PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_CAP_AMBIENT = 8, 24, 38, 22, 47
CAP_DAC_READ_SEARCH = 2

# Numbers by https://github.com/torvalds/linux/blob/master/include/uapi/asm-generic/unistd.h and x86's own table.
MACHINES = {
    "x86_64": {
        "modes": [90, 268, 452],
        "audit": 0xC000003E, "socket": 41, "sendto": 44, "sendmsg": 46, "sendmmsg": 307, "clone": 56,
        "refused": [
            101, 310, 311, 165, 166, 155, 272, 308, 321, 298, 250, 248, 249, 175, 313, 176, 246, 320, 169, 304, 323, 167,
            168, 164, 227, 170, 171, 103, 179, 163, 161, 312, 172, 173, 90, 268, 92, 94, 260, 188, 189, 197, 198, 452, 463,
            466,
        ],
    },
    "aarch64": {
        "modes": [53, 452],
        "audit": 0xC00000B7, "socket": 198, "sendto": 206, "sendmsg": 211, "sendmmsg": 269, "clone": 220,
        "refused": [
            117, 270, 271, 40, 39, 41, 97, 268, 280, 241, 219, 217, 218, 105, 273, 106, 104, 294, 142, 265, 282, 224, 225,
            170, 112, 161, 162, 116, 60, 89, 51, 272, 53, 54, 5, 6, 14, 15, 452, 463, 466,
        ],
    },
}
# io_uring, the new mounts, and what reaches into other processes: numbered alike everywhere.
REFUSED_EVERYWHERE = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 440, 442]
CLONE3 = 435
NEW_USER_NAMESPACE = 0x10000000
FAST_OPEN = 0x20000000
FAMILIES = [2, 10, 16]  # IPv4, IPv6, and netlink, which resolvers read addresses from


class NotContained(Exception):
    pass


def checked(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise NotContained(f"{what}: {os.strerror(number)}")
    return result


def landlock_version():
    """0 where the kernel has none, or has it switched off."""
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(version, 0)


def handled_files(version):
    rights = (1 << 13) - 1
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        if version >= since:
            rights |= right
    return rights


def restrict_paths_and_ports(limits):
    version = landlock_version()
    if version == 0:
        raise NotContained("this kernel has no Landlock")
    files = handled_files(version)
    network = BIND_TCP | (0 if limits["connect"] is None else CONNECT_TCP)
    scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS
    size = 8 if version < 4 else 16 if version < 6 else 24
    attributes = struct.pack("=QQQ", files, network, scopes)[:size]
    ruleset = checked(
        libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0)), "landlock_create_ruleset"
    )
    for path in limits["read"]:
        allow_path(ruleset, path, READ & files)
    for path in limits["write"]:
        allow_path(ruleset, path, files & ~EXECUTE)
    if version >= 4:
        for right, ports in ((BIND_TCP, limits["bind"]), (CONNECT_TCP, limits["connect"] or [])):
            for port in ports:
                rule = struct.pack("=QQ", right, port)
                checked(libc.syscall(ADD_RULE, ruleset, 2, rule, ctypes.c_uint32(0)), f"landlock_add_rule {port}")
    checked(libc.syscall(RESTRICT_SELF, ruleset, ctypes.c_uint32(0)), "landlock_restrict_self")
    os.close(ruleset)


def allow_path(ruleset, path, rights):
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    if not os.path.isdir(path):
        rights &= OF_A_FILE
    rule = struct.pack("=Qi", rights, descriptor)
    checked(libc.syscall(ADD_RULE, ruleset, 1, rule, ctypes.c_uint32(0)), f"landlock_add_rule {path}")
    os.close(descriptor)


LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000


def refuse(number):
    return 0x00050000 | number


def filter_program(machine, may_connect_anywhere, may_change_modes):
    """Classic BPF over `struct seccomp_data`: the number at 0, the machine at 4, the arguments at 16 by 8 bytes each."""
    return_ = lambda value: [(RETURN, 0, 0, value)]
    equals = lambda value, then: [(JUMP_EQUAL, 0, len(then), value), *then]
    argument = lambda index: (LOAD, 0, 0, 16 + 8 * index)
    program = [(LOAD, 0, 0, 4), (JUMP_EQUAL, 1, 0, machine["audit"]), *return_(KILL), (LOAD, 0, 0, 0)]
    if machine["audit"] == MACHINES["x86_64"]["audit"]:
        program += [(JUMP_AT_LEAST, 0, 1, 0x40000000), *return_(refuse(errno.ENOSYS))]
    for number in [*machine["refused"], *REFUSED_EVERYWHERE]:
        if may_change_modes and number in machine["modes"]:
            continue
        program += equals(number, return_(refuse(errno.EPERM)))
    # Its flags lie in memory that a filter cannot read; libraries go on with `clone`.
    program += equals(CLONE3, return_(refuse(errno.ENOSYS)))
    new_user = [argument(0), (JUMP_ANY_BIT, 0, 1, NEW_USER_NAMESPACE), *return_(refuse(errno.EPERM)), *return_(ALLOW)]
    program += equals(machine["clone"], new_user)
    checks = [argument(0)]
    left = len(FAMILIES)
    for family in FAMILIES:
        left -= 1
        checks.append((JUMP_EQUAL, left + 1, 0, family))
    checks += return_(refuse(errno.EAFNOSUPPORT))
    if not may_connect_anywhere:
        # Landlock bounds TCP alone.
        netlink = [argument(0), *equals(16, return_(ALLOW))]
        stream = [argument(1), (AND, 0, 0, 0xF), (JUMP_EQUAL, 1, 0, 1), *return_(refuse(errno.EACCES))]
        protocol = [argument(2), (JUMP_EQUAL, 2, 0, 0), (JUMP_EQUAL, 1, 0, 6), *return_(refuse(errno.EACCES))]
        checks += [*netlink, *stream, *protocol]
    checks += return_(ALLOW)
    program += equals(machine["socket"], checks)
    if not may_connect_anywhere:
        for name, index in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)):
            fast = [argument(index), (JUMP_ANY_BIT, 0, 1, FAST_OPEN), *return_(refuse(errno.EPERM)), *return_(ALLOW)]
            program += equals(machine[name], fast)
    return program + return_(ALLOW)


def restrict_calls(limits):
    machine = MACHINES.get(os.uname().machine)
    if machine is None:
        raise NotContained(f"no filter of system calls for {os.uname().machine}")
    program = filter_program(machine, limits["connect"] is None, limits["modes"])
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
    described = struct.pack("@HP", len(program), ctypes.addressof(code))
    checked(libc.prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(described), 0, 0), "seccomp")


def give_up_root(limits):
    """Its files become the new user's; an ambient capability lets it read through folders that are closed to others."""
    user = limits["user"]
    if os.getuid() != 0 or user is None:
        return
    for path in limits["write"]:
        if os.path.exists(path) and not path.startswith("/dev/"):
            os.chown(path, user, user, follow_symlinks=False)
            for folder, folders, files in os.walk(path) if os.path.isdir(path) else ():
                for name in (*folders, *files):
                    os.chown(os.path.join(folder, name), user, user, follow_symlinks=False)
    for capability in range(64):
        if capability != CAP_DAC_READ_SEARCH:
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    checked(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    # Version 3 of the header; permitted and inheritable get the one, effective too.
    bit = 1 << CAP_DAC_READ_SEARCH
    header, data = struct.pack("=Ii", 0x20080522, 0), struct.pack("=IIIIII", bit, bit, bit, 0, 0, 0)
    checked(libc.capset(header, data), "capset")
    checked(libc.prctl(PR_CAP_AMBIENT, 2, CAP_DAC_READ_SEARCH, 0, 0), "ambient capability")


def bound_resources(limits):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bounds = ((resource.RLIMIT_FSIZE, limits["file_bytes"]), (resource.RLIMIT_NPROC, limits["processes"]))
    for kind, wanted in bounds:
        if wanted is None:
            continue
        hard = resource.getrlimit(kind)[1]
        bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (bound, bound))


def probe():
    print(json.dumps({"landlock": landlock_version(), "seccomp": os.uname().machine in MACHINES}))


def main():
    if sys.argv[1:] == ["--probe"]:
        probe()
        return
    limits, command = json.loads(sys.argv[1]), sys.argv[2:]
    try:
        bound_resources(limits)
        give_up_root(limits)
        checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
        restrict_paths_and_ports(limits)
        restrict_calls(limits)
    except (NotContained, OSError, ValueError) as error:
        print(f"cannot be contained: {error}", file=sys.stderr)
        sys.exit(NOT_CONTAINED)
    try:
        os.execv(command[0], command)
    except OSError as error:
        print(f"cannot execute {command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(NOT_EXECUTABLE)


main()
