"""Numbers that stand for something: flags, modes, capabilities, errors, signals, choices.

Wording as auparse's where that is clear. Bits without a name are kept, in hexadecimal. A number
that stands for nothing known gives None: it stands as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from steno.audit.values.tables import choices, errors, flags

_MAX_DIGITS = 20


def decimal(raw: bytes) -> int | None:
    """Read a decimal number, perhaps negative; None where it is none."""
    digits = raw[1:] if raw[:1] == b"-" else raw
    return int(raw) if digits.isdigit() and len(digits) <= _MAX_DIGITS else None


def hexadecimal(raw: bytes) -> int | None:
    """Read a hexadecimal number, with or without 0x; None where it is none."""
    digits = raw[2:] if raw[:2] == b"0x" else raw
    return int(digits, 16) if digits.isalnum() and _is(digits, 16) else None


def octal(raw: bytes) -> int | None:
    """Read an octal number; None where it is none."""
    return int(raw, 8) if raw.isdigit() and _is(raw, 8) else None


def c_number(raw: bytes) -> int | None:
    """Read a number as C writes it: 0x42, 0102, 66; None where it is none."""
    if raw[:2] == b"0x":
        return hexadecimal(raw)
    return octal(raw) if raw[:1] == b"0" else decimal(raw)


def _is(digits: bytes, base: int) -> bool:
    try:
        int(digits, base)
    except ValueError:
        return False
    return len(digits) <= _MAX_DIGITS


def signed(number: int, bits: int = 32) -> int:
    """Read the lower `bits` of an argument as a signed number."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def names_of_bits(
    number: int, names: Mapping[int, str], separator: str = "|", none: str | None = None
) -> str:
    """Name all bits of `number`, ascending; `none` is what to say where there are none."""
    found = []
    rest = number
    for bits, name in names.items():
        if number & bits == bits:
            found.append(name)
            rest &= ~bits
    if rest:
        found.append(f"{rest:#x}")
    return separator.join(found) or (none if none is not None else "0x0")


def name_open_flags(number: int, names: Mapping[int, str] = flags.OPEN) -> str:
    """Name the flags of open, the way of access first, always."""
    rest = names_of_bits(number, names, none="")
    if number & 3:
        return rest
    return f"O_RDONLY|{rest}" if rest else "O_RDONLY"


def name_mmap_flags(number: int, names: Mapping[int, str] = flags.MMAP) -> str:
    """Name the flags of mmap; both lowest bits together are a value of their own."""
    if number & 3 == 3:
        rest = names_of_bits(number & ~3, names, none="")
        return f"MAP_SHARED_VALIDATE|{rest}" if rest else "MAP_SHARED_VALIDATE"
    return names_of_bits(number, names, none="MAP_FILE")


def name_clone_flags(number: int) -> str:
    """Name the flags of clone, and the signal that the child's end sends."""
    signal = number & 0xFF
    shown = names_of_bits(number & ~0xFF, flags.CLONE, none="")
    return "|".join(filter(None, (shown, name_signal(signal) if signal else None))) or "0x0"


def name_socket_type(number: int) -> str | None:
    """Name a socket's type, and the two flags that may stand beside it."""
    name = choices.SOCKET_TYPE.get(number & 0xF)
    if name is None:
        return None
    rest = names_of_bits(number & ~0xF, {0x800: "SOCK_NONBLOCK", 0x80000: "SOCK_CLOEXEC"}, none="")
    return f"{name}|{rest}" if rest else name


def name_personality(number: int) -> str:
    """Name a personality, and the bits beside it."""
    if number == 0xFFFFFFFF:
        return "0xffffffff"  # asks for the present one
    if number in choices.PERSONALITY:
        return choices.PERSONALITY[number]
    base = choices.PERSONALITY.get(number & 0xFF, f"{number & 0xFF:#x}")
    return f"{base}|{names_of_bits(number & ~0xFF, choices.PERSONALITY_BITS)}"


def name_scheduler(number: int) -> str | None:
    """Name a scheduling policy."""
    reset = 0x40000000
    name = choices.SCHEDULER.get(number & ~reset)
    name = "SCHED_OTHER" if name == "SCHED_NORMAL" else name  # as sched(7) has it
    return f"{name}|SCHED_RESET_ON_FORK" if name and number & reset else name


def name_signal(number: int) -> str | None:
    """Name a signal; real-time ones by glibc's numbers."""
    if number == 0:
        return "SIG0"
    if number == 34:
        return "SIGRTMIN"
    if 34 < number < 64:
        return f"SIGRTMIN+{number - 34}"
    return "SIGRTMAX" if number == 64 else choices.SIGNAL.get(number)


def name_exit(number: int) -> str | None:
    """Name the error that a system call returned: `EACCES(Permission denied)`."""
    return name_error(-number) if number < 0 else None


def name_error(number: int) -> str | None:
    """Name an error number: `EACCES(Permission denied)`."""
    name = errors.NAMES.get(number)
    text = errors.TEXTS.get(number)
    return f"{name}({text})" if text else name


def name_mode(number: int) -> str:
    """Spell a file's mode: `file,755`, `dir,sticky,777`; without a type as `name_short_mode`."""
    if not number & 0o170000:
        return name_short_mode(number)
    kind = choices.FILE_TYPE.get((number & 0o170000) >> 12, f"{(number & 0o170000) >> 12:03o}")
    return ",".join([kind, *_special_bits(number), f"{number & 0o777:03o}"])


def name_short_mode(number: int) -> str:
    """Spell a mode without a type: `0644`, `suid,0755`."""
    return ",".join([*_special_bits(number), f"0{number & 0o777:03o}"])


def _special_bits(mode: int) -> list[str]:
    bits = ((0o4000, "suid"), (0o2000, "sgid"), (0o1000, "sticky"))
    return [name for bit, name in bits if mode & bit]


def name_shm_flags(number: int) -> str:
    """Name the flags of shmget, its mode last."""
    rest = number & ~0o777
    shown = names_of_bits(rest, {**flags.IPC, **flags.SHM}, none="")
    mode = name_short_mode(number & 0o777)
    return f"{shown}|{mode}" if shown else mode


def name_capabilities(number: int) -> str:
    """Name all capabilities of a mask."""
    known = {1 << bit: name for bit, name in choices.CAPABILITY.items()}
    return names_of_bits(number, known, ",", "none")


def name_permissions(number: int) -> str:
    """Name what a watch looks for; the kernel takes none for all."""
    known = {4: "read", 2: "write", 1: "exec", 8: "attr"}
    return names_of_bits(number or 15, known, ",")


def name_seccomp(number: int) -> str | None:
    """Name what a seccomp filter answered."""
    return choices.SECCOMP.get(number & 0xFFFF0000)


def name_directory(number: int) -> str:
    """Name a directory's descriptor."""
    shown = signed(number)
    return "AT_FDCWD" if shown == -100 else str(shown)


def name_access(number: int) -> str:
    """Name what access() asks."""
    return names_of_bits(number, {1: "X_OK", 2: "W_OK", 4: "R_OK"}, none="F_OK")
