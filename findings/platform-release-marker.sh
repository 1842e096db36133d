#!/usr/bin/env bash
# Guess:     a marker on platform_release, as macOS packages have them ("22.0" is macOS 13), means the same to pip and uv:
#            compared as a version where the kernel's release is one, else never true for "at least".
# Versions:  pip 26.3, uv 0.13.8; the release is set by a sitecustomize module in the environment, which both ask
# Behaviour: pip does so. uv compares the letters: 24.6.0 is less than 9.0, 6.10.3 is less than 6.9, and a release of Debian's or
#            Ubuntu's kind, which is no version to pip, is at least "5.4" and at least "22.0", too. The same requirement is
#            installed by one of them and left out by the other, in both directions and without a warning.
# Seen:      24.6.0 (macOS 15): >= "9.0" pip yes, uv no; >= "22.0" pip yes, uv yes; < "10" pip no, uv no
#            6.10.3 (Linux): >= "6.9" pip yes, uv no; >= "22.0" pip no, uv yes; < "10" pip yes, uv no
#            6.8.0-49-generic (Ubuntu): >= "5.4" pip no, uv yes; >= "22.0" pip no, uv yes; < "10" pip no, uv no
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 200 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, pathlib, subprocess, sys, sysconfig, tempfile, zipfile

os.chdir(sys.argv[1])
pathlib.Path("wheels").mkdir()
info = "demo-1.0.dist-info/"
with zipfile.ZipFile("wheels/demo-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "".join(f"{info}{member},,\n" for member in ("METADATA", "WHEEL", "RECORD")))


def is_installed(*command: str) -> str:
    with tempfile.TemporaryDirectory() as target:
        options = ["--quiet", "--no-index", "--find-links", "wheels", "--target", target, "--requirement", "asked.txt"]
        subprocess.run([*command, "install", *options], capture_output=True, check=True, timeout=50)
        return "yes" if list(pathlib.Path(target).glob("demo-*")) else "no"


ASKED = {
    "24.6.0 (macOS 15)": ('>= "9.0"', '>= "22.0"', '< "10"'),
    "6.10.3 (Linux)": ('>= "6.9"', '>= "22.0"', '< "10"'),
    "6.8.0-49-generic (Ubuntu)": ('>= "5.4"', '>= "22.0"', '< "10"'),
}
for of, conditions in ASKED.items():
    customized = pathlib.Path(sysconfig.get_path("purelib"), "sitecustomize.py")
    customized.write_text(f"import platform\nplatform.release = lambda: {of.split()[0]!r}\n")
    answers = []
    for condition in conditions:
        pathlib.Path("asked.txt").write_text(f"demo ; platform_release {condition}\n")
        uv = is_installed(f"{sys.prefix}/bin/uv", "pip", "--no-cache")  # its cache remembers the release before
        answers.append(f"{condition} pip {is_installed(sys.executable, '-m', 'pip')}, uv {uv}")
    print(f"{of}: {'; '.join(answers)}")
PYTHON
)
expected='24.6.0 (macOS 15): >= "9.0" pip yes, uv no; >= "22.0" pip yes, uv yes; < "10" pip no, uv no
6.10.3 (Linux): >= "6.9" pip yes, uv no; >= "22.0" pip no, uv yes; < "10" pip yes, uv no
6.8.0-49-generic (Ubuntu): >= "5.4" pip no, uv yes; >= "22.0" pip no, uv yes; < "10" pip no, uv no'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
