#!/usr/bin/env bash
# Guess:     pytest.skip("reason") inside an async test shows its reason in the summary of `pytest -ra`, as in any other test.
# Versions:  pytest 9.2.0, pytest-trio 0.8.0, trio 0.35.0
# Behaviour: the reason and the place are lost: "_pytest/python.py:…: Skipped". Skips of different tests with different reasons
#            become one line. trio wraps the outcome in a group, and pytest-trio then skips again, with no reason of its own.
# Seen:      SKIPPED [2] …/_pytest/python.py: Skipped
#            SKIPPED [1] test_reasons.py: no compiler
#            3 skipped
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet pytest==9.2.0 pytest-trio==0.8.0 trio==0.35.0 \
    attrs==26.1.0 idna==3.20 iniconfig==2.3.1 outcome==1.3.0.post0 packaging==26.4 pluggy==1.7.0 Pygments==2.21.0 \
    sniffio==1.3.1 sortedcontainers==2.4.0 || exit 2

cat >"$work/test_reasons.py" <<'PYTHON'
import pytest


async def test_async():
    pytest.skip("no network")


async def test_async_too():
    pytest.skip("no display")


def test_plain():
    pytest.skip("no compiler")
PYTHON
printf '[pytest]\ntrio_mode = true\n' >"$work/pytest.ini"
cd "$work" || exit 2
# The summary alone, without line numbers, the path to the environment and the time.
seen=$(env -i "PATH=$PATH" "HOME=$work" timeout 60 venv/bin/python -m pytest -ra -q -p no:cacheprovider |
    sed -nE '/SKIPPED|[0-9] skipped/{s/:[0-9]+:/:/;s, [^ ]*(/_pytest), …\1,;s/ in [0-9.]+s//;p}')
expected='SKIPPED [2] …/_pytest/python.py: Skipped
SKIPPED [1] test_reasons.py: no compiler
3 skipped'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
