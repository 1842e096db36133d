#!/usr/bin/env bash
# Guess:     an index page with <base href="/files/"> is read as by browsers, since PEP 503 pages are HTML: the base is resolved
#            against the address of the page, and links against the base.
# Versions:  pip 26.3, uv 0.13.8, pypi-simple 1.8.0, mousebender 2025.1
# Behaviour: neither installer resolves it: pip takes the base for the whole address and ends with "No connection adapters were
#            found for '://…'", uv refuses the page. pypi-simple does it right; mousebender overlooks the base, an absolute one
#            too.
# Seen:      …/files/ pip: demo-1.0
#            …/files/ uv: demo-1.0
#            …/files/ pypi-simple: …/files/demo-1.0-py3-none-any.whl
#            …/files/ mousebender: demo-1.0-py3-none-any.whl
#            /files/ pip: No connection adapters were found for ':///files/demo-1.0-py3-none-any.whl'
#            /files/ uv: cause: relative URL without a base
#            /files/ pypi-simple: …/files/demo-1.0-py3-none-any.whl
#            /files/ mousebender: demo-1.0-py3-none-any.whl
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 pypi-simple==1.8.0 beautifulsoup4==4.15.0 soupsieve==4.1.3 requests==2.34.2 urllib3==2.8.0 \
    mailbits==0.2.3 packaging==26.4 mousebender==2025.1 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import http.server, io, pathlib, re, subprocess, sys, tempfile, threading, zipfile
from mousebender.simple import from_project_details_html
from pypi_simple import ProjectPage

WHY = re.compile("No connection adapters|relative URL")


def wheel(version: str) -> bytes:
    info = f"demo-{version}.dist-info/"
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as file:
        file.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        file.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(info + "RECORD", "".join(f"{info}{name},,\n" for name in ("METADATA", "WHEEL", "RECORD")))
    return packed.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    page, media_type = b"", "text/html"

    def do_GET(self):
        answer = files.get(self.path, self.page)
        self.send_response(200)
        self.send_header("Content-Type", self.media_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()
origin = f"http://127.0.0.1:{server.server_port}"


def outcome(*command: str) -> str:
    """What was installed, or the line that says why nothing was."""
    with tempfile.TemporaryDirectory() as target:
        options = ["--no-deps", "--no-cache-dir", "--index-url", f"{origin}/simple", "--target", target, "demo"]
        done = subprocess.run([*command, "install", *options], capture_output=True, text=True, timeout=50)
        found = [path.stem for path in pathlib.Path(target).glob("*.dist-info")]
        lines = [line.strip() for line in done.stderr.replace(origin, "…").splitlines()]
        return " ".join(found or [line for line in lines if WHY.search(line)])


name = "demo-1.0-py3-none-any.whl"
files = {f"/files/{name}": wheel("1.0")}
for base in (f"{origin}/files/", "/files/"):
    html = f"<!DOCTYPE html><html><head><base href='{base}'></head><body><a href='{name}'>{name}</a></body></html>"
    Index.page = html.encode()
    label = base.replace(origin, "…")
    print(f"{label} pip:", outcome(sys.executable, "-m", "pip").rpartition("OSError: ")[2])
    print(f"{label} uv:", outcome(f"{sys.prefix}/bin/uv", "pip"))
    package = ProjectPage.from_html("demo", html, f"{origin}/simple/demo/").packages[0]
    print(f"{label} pypi-simple:", package.url.replace(origin, "…"))
    print(f"{label} mousebender:", from_project_details_html(html, "demo")["files"][0]["url"])
PYTHON
)
expected="…/files/ pip: demo-1.0
…/files/ uv: demo-1.0
…/files/ pypi-simple: …/files/demo-1.0-py3-none-any.whl
…/files/ mousebender: demo-1.0-py3-none-any.whl
/files/ pip: No connection adapters were found for ':///files/demo-1.0-py3-none-any.whl'
/files/ uv: cause: relative URL without a base
/files/ pypi-simple: …/files/demo-1.0-py3-none-any.whl
/files/ mousebender: demo-1.0-py3-none-any.whl"

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
