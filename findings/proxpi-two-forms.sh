#!/usr/bin/env bash
# Guess:     proxpi, a caching proxy of indexes, gives each client the form that it accepts, and what one form says the other says
#            too, whichever its own index speaks.
# Versions:  proxpi 1.3.1
# Behaviour: from an HTML index its JSON has "yanked": true in place of the reason; from a JSON index its HTML has
#            data-core-metadata="" where the index says true (the specification wants "true"), and its JSON has lost "size" and
#            "upload-time", without which a client that excludes new files has nothing to go by.
# Seen:      reason in HTML, proxied as HTML: data-yanked="is broken"
#            reason in HTML, proxied as JSON: "yanked":true
#            core-metadata true in JSON, proxied as HTML: data-core-metadata=""
#            keys in JSON, proxied as JSON: core-metadata filename hashes url yanked
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    proxpi==1.3.1 flask==3.1.3 werkzeug==3.1.9 requests==2.34.2 urllib3==2.8.0 lxml==6.1.3 || exit 2

seen=$(env -i "PATH=$PATH" "HOME=$work" "TMPDIR=$work" timeout 120 "$work/venv/bin/python" - <<'PYTHON'
import http.server, json, os, re, threading

class Index(http.server.BaseHTTPRequestHandler):
    page, media_type = b"", "text/html"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", self.media_type)
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["PROXPI_INDEX_URL"] = f"http://127.0.0.1:{server.server_port}/simple/"
os.environ["PROXPI_INDEX_TTL"] = "0"
from proxpi.server import app

JSON = "application/vnd.pypi.simple.v1+json"
NAME = "demo-1.0-py3-none-any.whl"


def proxied(accept: str) -> str:
    return app.test_client().get("/index/demo/", headers={"Accept": accept}).get_data(as_text=True)


Index.page = f'<!DOCTYPE html><html><body><a href="/files/{NAME}" data-yanked="is broken">{NAME}</a></body></html>'.encode()
print("reason in HTML, proxied as HTML:", *re.findall(r'data-yanked="[^"]*"', proxied("text/html")))
print("reason in HTML, proxied as JSON:", *re.findall(r'"yanked":[^,}]*', proxied(JSON)))

entry = {"filename": NAME, "url": f"/files/{NAME}", "hashes": {}, "yanked": False, "core-metadata": True}
entry |= {"size": 924, "upload-time": "2026-01-01T00:00:00.000000Z"}
Index.media_type = JSON
Index.page = json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "versions": ["1.0"], "files": [entry]}).encode()
print("core-metadata true in JSON, proxied as HTML:", *re.findall(r'data-core-metadata="[^"]*"', proxied("text/html")))
print("keys in JSON, proxied as JSON:", *sorted(json.loads(proxied(JSON))["files"][0]))
PYTHON
)
expected='reason in HTML, proxied as HTML: data-yanked="is broken"
reason in HTML, proxied as JSON: "yanked":true
core-metadata true in JSON, proxied as HTML: data-core-metadata=""
keys in JSON, proxied as JSON: core-metadata filename hashes url yanked'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
