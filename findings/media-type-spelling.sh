#!/usr/bin/env bash
# Guess:     index clients read media types as RFC 9110, section 8.3.1, writes them: letters of any case, and white space allowed
#            before the semicolon of a parameter.
# Versions:  pip 26.3, uv 0.13.8, mousebender 2025.1
# Behaviour: pip does. uv compares what stands before the semicolon byte for byte, so a capital letter or a space ends the
#            install. mousebender wants small letters, too, and takes parameters after the two types of HTML but not after
#            that of JSON.
# Seen:      text/html; charset=utf-8: pip demo-1.0, uv demo-1.0, mousebender demo-1.0
#            Text/HTML: pip demo-1.0, uv error: Unsupported `Content-Type` "Text/HTML", mousebender unsupported
#            text/html ; charset=utf-8: pip demo-1.0, uv error: Unsupported `Content-Type` "text/html ", mousebender demo-1.0
#            application/vnd.pypi.simple.v1+html; charset=utf-8: pip demo-1.0, uv demo-1.0, mousebender demo-1.0
#            application/vnd.pypi.simple.v1+json; charset=utf-8: pip demo-1.0, uv demo-1.0, mousebender unsupported
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 mousebender==2025.1 packaging==26.4 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import http.server, io, json, pathlib, re, subprocess, sys, tempfile, threading, zipfile
from mousebender import simple

WHY = re.compile("Unsupported `Content-Type`")


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


def parsed(page: str, media_type: str) -> str:
    try:
        return simple.parse_project_details(page, media_type, "demo")["files"][0]["filename"][:8]
    except simple.UnsupportedMIMEType:
        return "unsupported"


name = "demo-1.0-py3-none-any.whl"
files = {f"/files/{name}": wheel("1.0")}
html = f"<!DOCTYPE html><html><body><a href='/files/{name}'>{name}</a></body></html>"
entry = {"filename": name, "url": f"/files/{name}", "hashes": {}}
data = json.dumps({"meta": {"api-version": "1.0"}, "name": "demo", "files": [entry]})
v1 = "application/vnd.pypi.simple.v1+"
for page, media_type in (
    (html, "text/html; charset=utf-8"),
    (html, "Text/HTML"),
    (html, "text/html ; charset=utf-8"),
    (html, f"{v1}html; charset=utf-8"),
    (data, f"{v1}json; charset=utf-8"),
):
    Index.page, Index.media_type = page.encode(), media_type
    pip, uv = outcome(sys.executable, "-m", "pip"), outcome(f"{sys.prefix}/bin/uv", "pip")
    print(f"{media_type}: pip {pip}, uv {uv.partition(' for')[0]}, mousebender {parsed(page, media_type)}")
PYTHON
)
expected='text/html; charset=utf-8: pip demo-1.0, uv demo-1.0, mousebender demo-1.0
Text/HTML: pip demo-1.0, uv error: Unsupported `Content-Type` "Text/HTML", mousebender unsupported
text/html ; charset=utf-8: pip demo-1.0, uv error: Unsupported `Content-Type` "text/html ", mousebender demo-1.0
application/vnd.pypi.simple.v1+html; charset=utf-8: pip demo-1.0, uv demo-1.0, mousebender demo-1.0
application/vnd.pypi.simple.v1+json; charset=utf-8: pip demo-1.0, uv demo-1.0, mousebender unsupported'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
