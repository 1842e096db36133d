#!/usr/bin/env bash
# Guess:     in a marker the variable may stand on either side: PEP 508's grammar has "3.8" <= python_version and python_version
#            >= "3.8" alike, and all that read requirements take them for the same.
# Versions:  packaging 26.4, uv 0.13.8, poetry-core 2.5.0, dep-logic 0.7.2 (with which PDM decides), distlib 0.4.4; on CPython 3.8
#            or newer
# Behaviour: packaging, uv and distlib do. poetry-core refuses the turned ones as "Invalid marker", also in the requirements of
#            what it should install. dep-logic takes them, and answers false for both "at least 3.8" and "below 3.99".
# Seen:      python_version >= "3.8": packaging True, uv True, poetry-core True, dep-logic True, distlib True
#            "3.8" <= python_version: packaging True, uv True, poetry-core InvalidMarkerError, dep-logic False, distlib True
#            python_version < "3.99": packaging True, uv True, poetry-core True, dep-logic True, distlib True
#            "3.99" > python_version: packaging True, uv True, poetry-core InvalidMarkerError, dep-logic False, distlib True
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    packaging==26.4 uv==0.13.8 poetry-core==2.5.0 dep-logic==0.7.2 distlib==0.4.4 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" UV_NO_CONFIG=1)
seen=$("${isolated[@]}" timeout 60 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, pathlib, subprocess, sys, zipfile
import dep_logic.markers, distlib.markers, packaging.markers, poetry.core.version.markers

os.chdir(sys.argv[1])
pathlib.Path("wheels").mkdir()
info = "demo-1.0.dist-info/"
with zipfile.ZipFile("wheels/demo-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "".join(f"{info}{member},,\n" for member in ("METADATA", "WHEEL", "RECORD")))


def by_uv(marker: str) -> bool:
    options = ["--quiet", "--no-header", "--no-index", "--find-links", "wheels", "--python", sys.executable, "-"]
    command = [f"{sys.prefix}/bin/uv", "pip", "compile", *options]
    done = subprocess.run(command, input=f"demo ; {marker}\n", capture_output=True, check=True, text=True, timeout=50)
    return "demo==1.0" in done.stdout


environment = dict(packaging.markers.default_environment())
READERS = {
    "packaging": lambda marker: packaging.markers.Marker(marker).evaluate(),
    "uv": by_uv,
    "poetry-core": lambda marker: poetry.core.version.markers.parse_marker(marker).validate(environment),
    "dep-logic": lambda marker: dep_logic.markers.parse_marker(marker).evaluate(),
    "distlib": lambda marker: distlib.markers.interpret(marker),
}
for marker in ('python_version >= "3.8"', '"3.8" <= python_version', 'python_version < "3.99"', '"3.99" > python_version'):
    answers = []
    for name, holds in READERS.items():
        try:
            answers.append(f"{name} {holds(marker)}")
        except ValueError as error:
            answers.append(f"{name} {type(error).__name__}")
    print(f"{marker}: {', '.join(answers)}")
PYTHON
)
expected='python_version >= "3.8": packaging True, uv True, poetry-core True, dep-logic True, distlib True
"3.8" <= python_version: packaging True, uv True, poetry-core InvalidMarkerError, dep-logic False, distlib True
python_version < "3.99": packaging True, uv True, poetry-core True, dep-logic True, distlib True
"3.99" > python_version: packaging True, uv True, poetry-core InvalidMarkerError, dep-logic False, distlib True'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
