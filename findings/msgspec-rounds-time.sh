#!/usr/bin/env bash
# Guess:     of a timestamp with more than six digits of a second, msgspec drops what a datetime cannot hold, as
#            datetime.fromisoformat does.
# Versions:  msgspec 0.23.0 (datetime of CPython 3.11 beside it)
# Behaviour: it rounds, and carries: a time in the last half microsecond of 2024 is in 2025, so two programs that read the same
#            nine digits (RFC 3339 sets no limit; servers in Go and Java write them) disagree on the year. A time in the last
#            half microsecond of the year 9999 is refused as "invalid", though RFC 3339 has it.
# Seen:      2024-12-31T23:59:59.9999994Z: msgspec 2024-12-31 23:59:59.999999, fromisoformat 2024-12-31 23:59:59.999999
#            2024-12-31T23:59:59.9999995Z: msgspec 2025-01-01 00:00:00, fromisoformat 2024-12-31 23:59:59.999999
#            9999-12-31T23:59:59.9999995Z: msgspec Invalid RFC3339 encoded datetime, fromisoformat 9999-12-31 23:59:59.999999
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet msgspec==0.23.0 || exit 2

seen=$(timeout 60 "$work/venv/bin/python" - <<'PYTHON'
import json
from datetime import datetime

import msgspec

for text in ("2024-12-31T23:59:59.9999994Z", "2024-12-31T23:59:59.9999995Z", "9999-12-31T23:59:59.9999995Z"):
    try:
        decoded = str(msgspec.json.decode(json.dumps(text), type=datetime).replace(tzinfo=None))
    except msgspec.ValidationError as error:
        decoded = str(error)
    print(f"{text}: msgspec {decoded}, fromisoformat {datetime.fromisoformat(text).replace(tzinfo=None)}")
PYTHON
)
expected='2024-12-31T23:59:59.9999994Z: msgspec 2024-12-31 23:59:59.999999, fromisoformat 2024-12-31 23:59:59.999999
2024-12-31T23:59:59.9999995Z: msgspec 2025-01-01 00:00:00, fromisoformat 2024-12-31 23:59:59.999999
9999-12-31T23:59:59.9999995Z: msgspec Invalid RFC3339 encoded datetime, fromisoformat 9999-12-31 23:59:59.999999'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
