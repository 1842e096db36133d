#!/usr/bin/env bash
# Guess:     libarchive reads a wheel from a pipe as it does from a file, only without going back: the same entries, kinds and
#            modes.
# Versions:  libarchive-c 5.3 with libarchive 3.6 to 3.8 (of the system)
# Behaviour: modes and kinds stand in the central directory alone, which comes last. From a pipe every entry is a regular file of
#            mode 0664: a link becomes a file that holds the name of its target, a program loses its x bit, and a private file is
#            readable by all. There is no warning, and nothing in an entry says that its mode is made up.
# Seen:      from a file: program reg 0755 3 bytes; private reg 0600 3 bytes; link lnk to program
#            from a pipe: program reg 0664 3 bytes; private reg 0664 3 bytes; link reg 0664 7 bytes
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    libarchive-c==5.3 || exit 2
timeout 20 "$work/venv/bin/python" -c "import libarchive" 2>/dev/null || { echo "libarchive is not installed"; exit 2; }

seen=$(timeout 60 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, stat, sys, threading, zipfile
import libarchive

path = f"{sys.argv[1]}/demo.zip"
with zipfile.ZipFile(path, "w") as archive:
    for name, mode, text in (
        ("program", stat.S_IFREG | 0o755, "run"),
        ("private", stat.S_IFREG | 0o600, "key"),
        ("link", stat.S_IFLNK | 0o777, "program"),
    ):
        member = zipfile.ZipInfo(name)
        member.create_system, member.external_attr = 3, mode << 16
        archive.writestr(member, text)


def told(entries) -> str:
    found = []
    for entry in entries:
        if entry.issym:
            found.append(f"{entry.pathname} lnk to {entry.linkpath}")
        else:
            found.append(f"{entry.pathname} reg {stat.S_IMODE(entry.mode):04o} {len(b''.join(entry.get_blocks()))} bytes")
    return "; ".join(found)


with libarchive.file_reader(path) as entries:
    print("from a file:", told(entries))
reading, writing = os.pipe()


def write() -> None:
    with open(path, "rb") as source, open(writing, "wb") as target:
        target.write(source.read())


writer = threading.Thread(target=write)
writer.start()
with libarchive.fd_reader(reading) as entries:
    print("from a pipe:", told(entries))
writer.join()
PYTHON
)
expected='from a file: program reg 0755 3 bytes; private reg 0600 3 bytes; link lnk to program
from a pipe: program reg 0664 3 bytes; private reg 0664 3 bytes; link reg 0664 7 bytes'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
