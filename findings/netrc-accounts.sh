#!/usr/bin/env bash
# Guess:     where ~/.netrc has two accounts of one host, a name in the address (http://second@host/) chooses between them, as for
#            curl and git; without a name the first one counts; and a backslash in a password is a character as any other, since
#            .netrc has no escapes outside of quotation marks.
# Versions:  pip 26.3, uv 0.13.8, httpx2 2.16.2 (NetRCAuth); curl 7.88 and git 2.39 (of the system)
# Behaviour: to pip, uv and httpx2 the last entry of a host replaces the others. pip and httpx2 send it whatever name is in the
#            address, that is another account than the one asked for; uv then sends an empty password unless the name is the last
#            one's. All three drop the backslash, and so send a wrong password, which curl and git have right.
# Seen:      two accounts, no name in the address: pip second:two, uv second:two, httpx2 second:two, curl first:one, git first:one
#            two accounts, first@: pip second:two, uv first:, httpx2 second:two, curl first:one, git first:one
#            two accounts, second@: pip second:two, uv second:two, httpx2 second:two, curl second:two, git second:two
#            password o\ne: pip first:one, uv first:one, httpx2 first:one, curl first:o\ne, git first:o\ne
set -uo pipefail
command -v curl >/dev/null && command -v git >/dev/null || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 httpx2==2.16.2 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
isolated+=(GIT_TERMINAL_PROMPT=0 GIT_CONFIG_NOSYSTEM=1)
seen=$("${isolated[@]}" timeout 200 "$work/venv/bin/python" - "$work" <<'PYTHON'
import base64, http.server, os, pathlib, subprocess, sys, threading

os.chdir(sys.argv[1])


class Server(http.server.BaseHTTPRequestHandler):
    credentials = "nothing"

    def do_GET(self):
        given = self.headers.get("Authorization", "")
        if given:
            Server.credentials = base64.b64decode(given.removeprefix("Basic ")).decode()
        body = b"<!DOCTYPE html><html><body></body></html>"
        self.send_response(200 if given else 401)
        if not given:
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
HTTPX2 = "import httpx2, sys; httpx2.get(sys.argv[1], auth=httpx2.NetRCAuth())"
TOOLS = {
    "pip": [sys.executable, "-m", "pip", "download", "--no-input", "--no-cache-dir", "demo", "--index-url"],
    "uv": [f"{sys.prefix}/bin/uv", "pip", "install", "--no-cache", "--target", "target", "demo", "--index-url"],
    "httpx2": [sys.executable, "-c", HTTPX2],
    "curl": ["curl", "--silent", "--netrc"],
    "git": ["git", "ls-remote"],
}
netrc = pathlib.Path(".netrc")
TWO = "machine 127.0.0.1 login first password one\nmachine 127.0.0.1 login second password two\n"
for title, text, user in (
    ("two accounts, no name in the address", TWO, ""),
    ("two accounts, first@", TWO, "first@"),
    ("two accounts, second@", TWO, "second@"),
    ("password o\\ne", "machine 127.0.0.1 login first password o\\ne\n", ""),
):
    netrc.write_text(text)
    netrc.chmod(0o600)
    sent = []
    for tool, command in TOOLS.items():
        Server.credentials = "nothing"
        address = f"http://{user}127.0.0.1:{server.server_port}/simple/"
        subprocess.run([*command, address], stdin=subprocess.DEVNULL, capture_output=True, timeout=50)
        sent.append(f"{tool} {Server.credentials}")
    print(f"{title}: {', '.join(sent)}")
PYTHON
)
expected='two accounts, no name in the address: pip second:two, uv second:two, httpx2 second:two, curl first:one, git first:one
two accounts, first@: pip second:two, uv first:, httpx2 second:two, curl first:one, git first:one
two accounts, second@: pip second:two, uv second:two, httpx2 second:two, curl second:two, git second:two
password o\ne: pip first:one, uv first:one, httpx2 first:one, curl first:o\ne, git first:o\ne'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
