#!/usr/bin/env bash
# Guess:     "for key, value in cursor: cursor.delete()" either deletes all entries of an LMDB database that the loop goes over,
#            or raises, as a dict does that changes while it is iterated; and which way the loop goes makes no difference.
# Versions:  lmdb 3.0.0 (the Python package)
# Behaviour: delete() moves the cursor to the next entry, and the loop then steps over that one: every second entry stays, without
#            an error. Backwards it is worse: after the last entry is deleted the cursor stands behind the end, and the loop ends
#            with all others left. txn.delete(key) and txn.pop(key) in the same loop delete all of them; so does "while
#            cursor.delete()" after first().
# Seen:      forwards: left 1 3 5
#            keys_only: left 1 3 5
#            backwards: left 0 1 2 3 4
#            by_transaction: left nothing
#            popped: left nothing
#            while_there: left nothing
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet lmdb==3.0.0 || exit 2

seen=$(timeout 60 "$work/venv/bin/python" - "$work" <<'PYTHON'
import sys, tempfile
import lmdb


def forwards(txn, cursor):
    for key, value in cursor:
        cursor.delete()


def keys_only(txn, cursor):
    for key in cursor.iternext(keys=True, values=False):
        cursor.delete()


def backwards(txn, cursor):
    for key, value in cursor.iterprev():
        cursor.delete()


def by_transaction(txn, cursor):
    for key, value in cursor:
        txn.delete(key)


def popped(txn, cursor):
    for key, value in cursor:
        txn.pop(key)


def while_there(txn, cursor):
    cursor.first()
    while cursor.delete():
        pass


for empty in (forwards, keys_only, backwards, by_transaction, popped, while_there):
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as place, lmdb.open(place) as environment:
        with environment.begin(write=True) as txn:
            for number in range(6):
                txn.put(b"%d" % number, b"value")
            with txn.cursor() as cursor:
                empty(txn, cursor)
        with environment.begin() as txn:
            left = [key.decode() for key, value in txn.cursor()]
    print(f"{empty.__name__}: left {' '.join(left) or 'nothing'}")
PYTHON
)
expected='forwards: left 1 3 5
keys_only: left 1 3 5
backwards: left 0 1 2 3 4
by_transaction: left nothing
popped: left nothing
while_there: left nothing'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
