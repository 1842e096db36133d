"""A real Chromium without a window, driven as a person would: by what the page calls things, mouse and keyboard.

It is spoken to in Chrome's DevTools protocol over two pipes (``--remote-debugging-pipe``): JSON, each message ended by a NUL.  So
no driver has to be installed, and no port is open.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final, Self

from tests.fakes.processes import isolated_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROGRAM: Final = "chromium"
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_ANSWER_S: Final = 60.0
"""A busy machine takes seconds to start it."""
_STOP_S: Final = 20.0
_LARGEST: Final = 1 << 16


class Browser:
    """Runs from ``__enter__`` to ``__exit__`` with a new profile, showing one page; JavaScript of pages is off."""

    def __init__(self, directory: Path, *flags: str) -> None:
        """``directory`` takes the profile; ``flags`` are further ones of the program."""
        self._command = [*_FLAGS, f"--user-data-dir={directory / 'profile'}", *flags, "about:blank"]
        self._environment = isolated_environment(directory / "home")
        self._log = directory / "chromium.log"
        self._received = bytearray()
        self._asked = 0
        self._session: str | None = None
        self.requested: list[str] = []
        """The addresses that pages have asked for, data in addresses left out."""
        self._arrived = 0

    def __enter__(self) -> Self:
        program = shutil.which(PROGRAM)
        assert program is not None, f"{PROGRAM} is not installed"
        ends_in, self._to = os.pipe()
        self._from, ends_out = os.pipe()
        # It wants them as descriptors 3 and 4: copied to higher numbers first, so that neither is in the other's way.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (ends_in, ends_out)]
        launch = ["bash", "-c", f'exec 3<&{theirs[0]} 4>&{theirs[1]}; exec "$@"', "bash", program, *self._command]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                launch,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=theirs,
            )
        for end in (ends_in, ends_out, *theirs):
            os.close(end)
        try:
            pages = [target for target in self.ask("Target.getTargets")["targetInfos"] if target["type"] == "page"]
            self._session = self.ask("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
            for domain in ("Page", "Network", "DOM", "Accessibility"):
                self.ask(f"{domain}.enable")
            self.ask("Emulation.setScriptExecutionDisabled", value=True)
        except BaseException:
            self._process.kill()
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._to)  # it ends when no process is left that could tell it anything
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_S)
        os.close(self._from)

    # --- what a person does ------------------------------------------------------------------------------------------

    def look(self, *, width: int, height: int = 900, phone: bool = False, dark: bool = False, scale: float = 1) -> None:
        """Use a window, or a phone, of this size in CSS pixels."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Type an address; returns when the page and all that belongs to it is there."""
        before = self._arrived
        failed = self.ask("Page.navigate", url=url).get("errorText")
        assert failed is None, f"{url}: {failed}"
        self._arrive(before)

    def click(self, role: str, name: str) -> None:
        """Click in the middle of what has this role and name, and wait for the page that it leads to."""
        [node] = self.find(role, name)
        self.ask("DOM.scrollIntoViewIfNeeded", backendNodeId=node["backendDOMNodeId"])
        box = self.ask("DOM.getContentQuads", backendNodeId=node["backendDOMNodeId"])["quads"][0]
        before = self._arrived
        for kind in ("mousePressed", "mouseReleased"):
            where = {"x": (box[0] + box[4]) / 2, "y": (box[1] + box[5]) / 2}
            self.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)
        self._arrive(before)

    def tab(self) -> Mapping[str, Any]:
        """Press Tab and return what has the focus then."""
        self._press("Tab", 9, "")
        return self._focused()

    def write(self, text: str) -> None:
        """Write into what has the focus."""
        self.ask("Input.insertText", text=text)

    def enter(self) -> None:
        """Press Enter and wait for the page that it leads to."""
        before = self._arrived
        self._press("Enter", 13, "\r")
        self._arrive(before)

    def find(self, role: str, name: str | None = None) -> list[dict[str, Any]]:
        """Return what a screen reader would announce by this role and name (None: any), in the page's order."""
        return [one for one in self._nodes() if _value(one, "role") == role and name in (None, _value(one, "name"))]

    def names(self, role: str) -> list[str]:
        """Return the names of all that has a role, in the page's order."""
        return [_value(one, "name") for one in self.find(role)]

    @property
    def address(self) -> str:
        """What the address bar shows."""
        history = self.ask("Page.getNavigationHistory")
        return str(history["entries"][history["currentIndex"]]["url"])

    @property
    def title(self) -> str:
        """What the tab shows."""
        history = self.ask("Page.getNavigationHistory")
        return str(history["entries"][history["currentIndex"]]["title"])

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression: ours, not one of the page's."""
        told = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def screenshot(self) -> bytes:
        """Return what the window shows, as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    # --- the protocol ------------------------------------------------------------------------------------------------

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._asked += 1
        number = self._asked
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == number:
                assert "error" not in told, f"{method}: {told['error']}"
                result: dict[str, Any] = told["result"]
                return result

    def _next(self) -> dict[str, Any]:
        end_s = time.monotonic() + _ANSWER_S
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._from], [], [], max(0.0, end_s - time.monotonic()))
            data = os.read(self._from, _LARGEST) if ready else b""
            assert data, f"{PROGRAM} does not answer; it said: {self._log.read_text()[-2_000:]}"
            self._received += data
        message, _, self._received = self._received.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        if told.get("method") == "Page.loadEventFired":
            self._arrived += 1
        elif told.get("method") == "Network.requestWillBeSent":
            url = told["params"]["request"]["url"]
            if not url.startswith("data:"):
                self.requested.append(url)
        return told

    def _arrive(self, before: int) -> None:
        while self._arrived == before:
            self._next()

    def _press(self, key: str, code: int, text: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def _nodes(self) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = self.ask("Accessibility.getFullAXTree")["nodes"]
        return [node for node in nodes if not node["ignored"]]

    def _focused(self) -> Mapping[str, Any]:
        for node in self._nodes():
            told = {one["name"]: one["value"]["value"] for one in node.get("properties", ())}
            if told.get("focused") is True and _value(node, "role") != "RootWebArea":
                return {"role": _value(node, "role"), "name": _value(node, "name")}
        return {"role": "", "name": ""}


def _value(node: Mapping[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", ""))
