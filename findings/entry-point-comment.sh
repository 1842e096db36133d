#!/usr/bin/env bash
# Guess:     entry_points.txt is read by all as its specification says, "as read by Python's configparser": a line that begins
#            with ";" is a comment, as one with "#" is, and spaces around the colon of a value are passed over.
# Versions:  pip 26.3, uv 0.13.8, installer 1.1.0, importlib.metadata of CPython 3.11
# Behaviour: uv and installer do. With a ";" comment pip ends with a traceback (TypeError), from importlib.metadata; and where
#            another tool has installed such a wheel, importlib.metadata.entry_points() raises for the whole environment,
#            whichever group is asked for. A space before the colon makes pip refuse the wheel: it takes "demo : main" for an
#            entry without a function.
# Seen:      # the tool: pip demo, uv demo, installer demo; entry_points(): 1
#            ; the tool: pip TypeError, uv demo, installer demo; entry_points(): TypeError
#            demo : main: pip ERROR, uv demo, installer demo; entry_points(): 1
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 installer==1.1.0 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, pathlib, re, subprocess, sys, sysconfig, tempfile, venv, zipfile

os.chdir(sys.argv[1])
info, name = "demo-1.0.dist-info", "demo-1.0-py3-none-any.whl"
ours, packages = sys.executable, sysconfig.get_path("purelib")
installs = {
    "pip": lambda python: [ours, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", name],
    "uv": lambda python: [f"{sys.prefix}/bin/uv", "pip", "install", "--quiet", "--no-index", "--python", python, name],
    "installer": lambda python: [python, "-m", "installer", name],
}
ASK = "import importlib.metadata as m; print(len(m.entry_points(group='console_scripts')))"
for title, text in {
    "# the tool": "[console_scripts]\n# the tool\ndemo = demo:main\n",
    "; the tool": "[console_scripts]\n; the tool\ndemo = demo:main\n",
    "demo : main": "[console_scripts]\ndemo = demo : main\n",
}.items():
    members = {
        "demo.py": "def main(): pass\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": text,
    }
    members[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*members, f"{info}/RECORD"))
    with zipfile.ZipFile(name, "w") as wheel:
        for path, content in members.items():
            wheel.writestr(path, content)
    outcomes, asked = [], set()
    for tool, command in installs.items():
        with tempfile.TemporaryDirectory(dir=".") as root:
            venv.create(root, symlinks=True)
            python = str(pathlib.Path(root, "bin/python").absolute())
            path = {"PYTHONPATH": packages} if tool == "installer" else {}
            done = subprocess.run(command(python), capture_output=True, text=True, timeout=50, env={**os.environ, **path})
            errors = re.findall(r"^(ERROR|\w+Error)\b", done.stderr, re.MULTILINE)
            is_there = pathlib.Path(root, "bin/demo").exists()
            outcomes.append(f"{tool} {'demo' if is_there and not done.returncode else errors[-1]}")
            if is_there:
                told = subprocess.run([python, "-c", ASK], capture_output=True, text=True, timeout=50)
                asked.add(told.stdout.strip() or re.search(r"^\w+Error", told.stderr, re.MULTILINE)[0])
    print(f"{title}: {', '.join(outcomes)}; entry_points(): {' '.join(sorted(asked))}")
PYTHON
)
expected='# the tool: pip demo, uv demo, installer demo; entry_points(): 1
; the tool: pip TypeError, uv demo, installer demo; entry_points(): TypeError
demo : main: pip ERROR, uv demo, installer demo; entry_points(): 1'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
