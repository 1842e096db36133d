#!/usr/bin/env bash
# Guess:     pip takes a bare `data-yanked` attribute for yanked: PEP 592 says the attribute "may or may not have a value", and
#            to HTML the bare form is the empty value.
# Versions:  pip 26.3, uv 0.13.8, pypi-simple 1.8.0, mousebender 2025.1
# Behaviour: pip alone takes the bare form for not yanked, and installs the yanked file; data-yanked="" is yanked to all four.
# Seen:      <a data-yanked>: pip demo-2.0, uv demo-1.0, pypi-simple demo-1.0, mousebender demo-1.0
#            <a data-yanked="">: pip demo-1.0, uv demo-1.0, pypi-simple demo-1.0, mousebender demo-1.0
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet pip==26.3 uv==0.13.8 pypi-simple==1.8.0 \
    beautifulsoup4==4.15.0 soupsieve==4.1.3 requests==2.34.2 urllib3==2.8.0 mailbits==0.2.3 packaging==26.4 mousebender==2025.1 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import pathlib, subprocess, sys, tempfile, zipfile
from mousebender.simple import from_project_details_html
from pypi_simple import ProjectPage

page = pathlib.Path(sys.argv[1]) / "simple/demo/index.html"
page.parent.mkdir(parents=True)
for version in ("1.0", "2.0"):
    with zipfile.ZipFile(page.with_name(f"demo-{version}-py3-none-any.whl"), "w") as wheel:
        info = f"demo-{version}.dist-info/"
        wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "".join(f"{info}{name},,\n" for name in ("METADATA", "WHEEL", "RECORD")))


def installed(*command: str) -> str:
    index = page.parent.parent.as_uri()
    with tempfile.TemporaryDirectory() as target:
        options = ["--no-deps", "--index-url", index, "--target", target, "demo"]
        subprocess.run([*command, "install", *options], capture_output=True, timeout=50)
        return " ".join(path.stem for path in pathlib.Path(target).glob("*.dist-info"))


for attribute in ("data-yanked", 'data-yanked=""'):
    names = ["demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"]
    html = f"<a href={names[0]}>{names[0]}</a>\n<a href={names[1]} {attribute}>{names[1]}</a>"
    page.write_text(html)
    packages = ProjectPage.from_html("demo", html).packages
    files = from_project_details_html(html, "demo")["files"]
    newest = {
        "pip": installed(sys.executable, "-m", "pip"),
        "uv": installed(f"{sys.prefix}/bin/uv", "pip"),
        "pypi-simple": [f"demo-{one.version}" for one in packages if not one.is_yanked][-1],
        "mousebender": [one["filename"][:8] for one in files if not one.get("yanked")][-1],
    }
    print(f"<a {attribute}>:", ", ".join(f"{name} {version}" for name, version in newest.items()))
PYTHON
)
expected='<a data-yanked>: pip demo-2.0, uv demo-1.0, pypi-simple demo-1.0, mousebender demo-1.0
<a data-yanked="">: pip demo-1.0, uv demo-1.0, pypi-simple demo-1.0, mousebender demo-1.0'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
