#!/usr/bin/env bash
# Guess:     dumb-pypi makes pages of a list of filenames, and takes each that the binary distribution format allows, so also a
#            wheel of a version with an epoch ("1!2.0" stays so in a filename).
# Versions:  dumb-pypi 1.15.0
# Behaviour: it leaves that file out with one line on stderr and ends with 0. "+" of a local version and a build number are taken.
#            The older version without the epoch is then "latest", although every version with one is newer.
# Seen:      exit 0: Unsafe package name: demo-1!2.0-py3-none-any.whl (skipping package)
#            listed: demo-3.0+local.1-py3-none-any.whl demo-3.0-1-py3-none-any.whl
#            latest: demo==3.0+local.1
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    dumb-pypi==1.15.0 packaging==26.4 || exit 2

printf '%s\n' demo-1\!2.0-py3-none-any.whl demo-3.0-1-py3-none-any.whl demo-3.0+local.1-py3-none-any.whl > "$work/files"
said=$(timeout 60 "$work/venv/bin/dumb-pypi" --package-list "$work/files" --packages-url http://files.example/ \
    --output-dir "$work/pages" 2>&1)
code=$?
page="$work/pages/simple/demo/index.html"
seen="exit $code: $said
listed: $(grep -o 'demo-[^"<>]*\.whl' "$page" | sort -u | tr '\n' ' ' | sed 's/ $//')
latest: $(grep -o 'demo==[^"]*' "$page")"
expected='exit 0: Unsafe package name: demo-1!2.0-py3-none-any.whl (skipping package)
listed: demo-3.0+local.1-py3-none-any.whl demo-3.0-1-py3-none-any.whl
latest: demo==3.0+local.1'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
