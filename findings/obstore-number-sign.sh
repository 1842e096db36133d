#!/usr/bin/env bash
# Guess:     the stores of obstore take the same keys, so a directory that is copied from a LocalStore to another store arrives
#            whole.
# Versions:  obstore 0.12.1
# Behaviour: a LocalStore keeps names that end in "#" and digits for its own unfinished files. It refuses to write or read such a
#            key, with an error; but list() passes over a file that is called so, without one, and what copies by list() leaves it
#            behind. MemoryStore takes them as any other key.
# Seen:      on disk: notes#2.txt notes#two runs#2/log runs/log#2
#            LocalStore lists: notes#2.txt notes#two runs#2/log
#            LocalStore: get runs/log#2 GenericError, put runs/log#3 GenericError
#            MemoryStore lists: notes#2.txt notes#two runs#2/log runs/log#2
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    obstore==0.12.1 || exit 2

seen=$(timeout 60 "$work/venv/bin/python" - "$work" <<'PYTHON'
import pathlib, sys
import obstore
from obstore.store import LocalStore, MemoryStore

NAMES = ("notes#2.txt", "notes#two", "runs/log#2", "runs#2/log")
folder = pathlib.Path(sys.argv[1], "objects")
memory = MemoryStore()
for name in NAMES:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"text")
    obstore.put(memory, name, b"text")
local = LocalStore(folder)


def listed(store) -> str:
    return " ".join(sorted(one["path"] for page in obstore.list(store) for one in page))


def outcome(what: str, name: str, *content: bytes) -> str:
    try:
        getattr(obstore, what)(local, name, *content)
    except Exception as error:
        return f"{what} {name} {type(error).__name__}"
    return f"{what} {name} done"


print("on disk:", " ".join(sorted(NAMES)))
print("LocalStore lists:", listed(local))
print("LocalStore:", f"{outcome('get', 'runs/log#2')}, {outcome('put', 'runs/log#3', b'text')}")
print("MemoryStore lists:", listed(memory))
PYTHON
)
expected='on disk: notes#2.txt notes#two runs#2/log runs/log#2
LocalStore lists: notes#2.txt notes#two runs#2/log
LocalStore: get runs/log#2 GenericError, put runs/log#3 GenericError
MemoryStore lists: notes#2.txt notes#two runs#2/log runs/log#2'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
