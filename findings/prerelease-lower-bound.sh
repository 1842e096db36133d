#!/usr/bin/env bash
# Guess:     a requirement that names a pre-release, as demo>=1.0a1 does, lets pip and uv take pre-releases: PEP 440 suggests it,
#            and uv did so for direct requirements.
# Versions:  pip 26.3, uv 0.13.8; the index has 1.0 and 2.0rc1
# Behaviour: pip takes 2.0rc1 then, also when the pre-release is only in an upper bound (<3.dev0), but not for != alone. uv takes
#            1.0 as long as a final release fits, with --prerelease explicit, too. The same line is a release candidate in one
#            and a final release in the other.
# Seen:      demo: pip 1.0, uv 1.0, uv explicit 1.0
#            demo>=1.0a1: pip 2.0rc1, uv 1.0, uv explicit 1.0
#            demo<3.dev0: pip 2.0rc1, uv 1.0, uv explicit 1.0
#            demo!=1.0b1: pip 1.0, uv 1.0, uv explicit 1.0
#            demo>=1.0a1,!=1.0a2: pip 2.0rc1, uv 1.0, uv explicit 1.0
#            demo>1.0: pip 2.0rc1, uv 2.0rc1, uv explicit none
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import io, pathlib, subprocess, sys, tempfile, zipfile

simple = pathlib.Path(sys.argv[1]) / "simple/demo"
simple.mkdir(parents=True)


def wheel(version: str) -> bytes:
    info = f"demo-{version}.dist-info/"
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as file:
        file.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        file.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(info + "RECORD", "".join(f"{info}{name},,\n" for name in ("METADATA", "WHEEL", "RECORD")))
    return packed.getvalue()


def taken(requirement: str, *command: str) -> str:
    index = simple.parent.as_uri()
    with tempfile.TemporaryDirectory() as target:
        options = ["--no-deps", "--no-cache-dir", "--index-url", index, "--target", target]
        subprocess.run([*command, *options, requirement], capture_output=True, timeout=50)
        return " ".join(path.stem.removeprefix("demo-") for path in pathlib.Path(target).glob("*.dist-info")) or "none"


names = [f"demo-{version}-py3-none-any.whl" for version in ("1.0", "2.0rc1")]
for name in names:
    (simple / name).write_bytes(wheel(name.split("-")[1]))
(simple / "index.html").write_text("".join(f"<a href={name}>{name}</a>" for name in names))
uv = f"{sys.prefix}/bin/uv"
for requirement in ("demo", "demo>=1.0a1", "demo<3.dev0", "demo!=1.0b1", "demo>=1.0a1,!=1.0a2", "demo>1.0"):
    versions = {
        "pip": taken(requirement, sys.executable, "-m", "pip", "install"),
        "uv": taken(requirement, uv, "pip", "install"),
        "uv explicit": taken(requirement, uv, "pip", "install", "--prerelease", "explicit"),
    }
    print(f"{requirement}:", ", ".join(f"{name} {version}" for name, version in versions.items()))
PYTHON
)
expected='demo: pip 1.0, uv 1.0, uv explicit 1.0
demo>=1.0a1: pip 2.0rc1, uv 1.0, uv explicit 1.0
demo<3.dev0: pip 2.0rc1, uv 1.0, uv explicit 1.0
demo!=1.0b1: pip 1.0, uv 1.0, uv explicit 1.0
demo>=1.0a1,!=1.0a2: pip 2.0rc1, uv 1.0, uv explicit 1.0
demo>1.0: pip 2.0rc1, uv 2.0rc1, uv explicit none'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
