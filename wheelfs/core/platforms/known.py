"""Which platform tags and versions of Python there are, so that a typing error is told apart from a rare machine.

Sources: "Platform compatibility tags" (PEP 425, 600, 656, 730, 738, 783); PEP 602 (one minor version of Python a year).
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

_LINUX_MACHINES: Final = (
    *("x86_64", "aarch64", "i686", "armv7l", "armv6l", "ppc64le", "ppc64", "s390x", "riscv64", "loongarch64"),
    *(
        "i386",
        "i586",
        "armv5tel",
        "armv8l",
        "ppc",
        "riscv32",
        "mips",
        "mips64",
        "sparc64",
        "alpha",
        "ia64",
        "hppa",
        "m68k",
        "sw_64",
    ),
)
_MAC_MACHINES: Final = ("arm64", "x86_64", "universal2", "intel", "i386", "universal", "fat", "fat32", "fat64", "ppc", "ppc64")
_WINDOWS: Final = ("win_amd64", "win_arm64", "win32", "win_arm32", "win_ia64")

_KNOWN: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(manylinux|musllinux)_[12]_\d{{1,3}}_({'|'.join(_LINUX_MACHINES)})",
        rf"(manylinux1|manylinux2010|manylinux2014|linux)_({'|'.join(_LINUX_MACHINES)})",
        rf"macosx_\d{{1,2}}_\d{{1,2}}_({'|'.join(_MAC_MACHINES)})",
        "|".join((*_WINDOWS, "any")),
        r"android_\d{2}_(arm64_v8a|armeabi_v7a|x86|x86_64)",
        r"ios_\d{2}_\d{1,2}_(arm64|x86_64)_(iphoneos|iphonesimulator)",
        r"(emscripten|pyodide|pyemscripten|wasi)_\w+",
        # Systems for which wheels are built by their users; what follows is their version and machine, in no fixed form.
        r"(freebsd|openbsd|netbsd|dragonfly|midnightbsd|aix|sunos|solaris|illumos|cygwin|msys|mingw|haiku|gnu)_?[a-z0-9_]+",
    )
)

_SAMPLES: Final = (
    *(f"manylinux_2_28_{machine}" for machine in _LINUX_MACHINES[:10]),
    *(f"manylinux_2_17_{machine}" for machine in _LINUX_MACHINES[:10]),
    *(f"manylinux2014_{machine}" for machine in _LINUX_MACHINES[:10]),
    *(f"musllinux_1_2_{machine}" for machine in _LINUX_MACHINES[:10]),
    *(f"linux_{machine}" for machine in _LINUX_MACHINES[:10]),
    *("macosx_11_0_arm64", "macosx_10_9_x86_64", "macosx_11_0_universal2", *_WINDOWS),
)
_OTHER_WORDS: Final = (
    (r"^((many|musl)linux_\d+_\d+)$", r"\1_x86_64"),
    (r"^(macosx_\d+)_(arm64|x86_64|universal2)$", r"\1_0_\2"),
    (r"(linux.*)_(arm64|armv8)$", r"\1_aarch64"),
    (r"(linux.*)_(amd64|x64|86_64|x86)$", r"\1_x86_64"),
    (r"(macosx.*)_aarch64$", r"\1_arm64"),
    (r"(macosx.*)_(amd64|x64)$", r"\1_x86_64"),
    (r"^(mac|macos|darwin|osx)(_|$).*", "macosx_11_0_arm64"),
    (r"^(win|windows)_?(x86_64|x64|64|amd)?$", "win_amd64"),
    (r"^(win|windows)_?(x86|i386|i686|32)$", "win32"),
    (r"^(win|windows)_?aarch64$", "win_arm64"),
    (r"^(many)?linux$", "manylinux_2_28_x86_64"),
)
"""What machines are called elsewhere: by Debian, Windows, Go, or in container images."""

_OLDEST_MINOR: Final = 3
_NEWEST_MINOR: Final = 17
"""Two years ahead of Python 3.15, which was the newest when this was written."""
_AHEAD: Final = 2


def is_platform(text: str) -> bool:
    """Return whether wheels may have this platform tag."""
    return any(known.fullmatch(text) for known in _KNOWN)


def like_platform(text: str) -> str | None:
    """Return the platform tag that may have been meant."""
    words = re.sub(r"[-. /]+", "_", text.strip().lower())
    if is_platform(words):
        return words
    for pattern, meant in _OTHER_WORDS:
        if re.search(pattern, words):
            return meant if re.search(r"^\w+$", meant) and "\\" not in meant else _if_known(re.sub(pattern, meant, words))
    return next(iter(get_close_matches(words, _SAMPLES, 1, cutoff=0.7)), None)


def _if_known(text: str) -> str | None:
    return text if is_platform(text) else next(iter(get_close_matches(text, _SAMPLES, 1, cutoff=0.7)), None)


def is_minor(minor: int, *, here: int) -> bool:
    """Return whether there is, or soon will be, a Python 3.``minor``; ``here`` is that of the running one."""
    return _OLDEST_MINOR <= minor <= max(_NEWEST_MINOR, here + _AHEAD)


def like_python(text: str, *, here: int) -> str | None:
    """Return the version of Python that may have been meant: 312, py3.12 and 3.99 (3.9) are known forms of it."""
    if found := re.search(r"3[._-]?(\d{1,2})", text):
        digits = found[1]
        # A number that lost its zero (3.1 of 3.10, as in YAML), or has a key too many (3.122, 3.99).
        for meant in (digits, f"{digits}0", digits[:1]):
            if is_minor(int(meant), here=here):
                return f"3.{int(meant)}"
    return None
