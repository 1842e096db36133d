"""The gateway's pages in a real browser: Chromium without a window and JavaScript, driven by names, mouse and keyboard."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.fakes.browser import PROGRAM, Browser
from tests.fakes.index import FakeIndex
from tests.fakes.wheels import wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.clients import Clients

pytestmark = pytest.mark.skipif(
    shutil.which(PROGRAM) is None, reason=f"needs {PROGRAM} (scripts/test installs it where it may: as root, on Debian)"
)

VERSIONS = ("1.0", "1.1", "2.0+lab.1")
LONG = "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.manylinux_2_28_x86_64"

CONTRAST = """
(() => {
  const linear = part => part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
  const light = colour => {
    const [r, g, b] = colour.match(/[0-9.]+/g).map(part => linear(part / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const below = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const hasText = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  return Math.min(...[...document.querySelectorAll('body *')].filter(hasText).map(element => {
    const [one, other] = [light(getComputedStyle(element).color), light(below(element))];
    return (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
  }));
})()
"""
"""The least contrast (WCAG 2.2, 1.4.3) of any text on the page to what is below it."""

BROKEN = """
[...document.querySelectorAll('.lines code')].flatMap(code => {
  const pieces = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
  const broken = [];
  while (pieces.nextNode()) {
    for (const word of pieces.currentNode.data.matchAll(/--[a-z-]+/g)) {
      const range = document.createRange();
      range.setStart(pieces.currentNode, word.index);
      range.setEnd(pieces.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(box => box.top)).size > 1) broken.push(word[0]);
    }
  }
  return broken;
})
"""
"""The options in set-up lines of which a part stands on the next line, as a browser breaks them after a hyphen."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A gateway that knows a few projects, one version of each stored."""
    with FakeIndex() as index, Serving(tmp_path_factory.mktemp("lab"), "--index", f"main={index.url}") as gateway:
        for project in ("numbers", "number-theory", "letters"):
            for version in VERSIONS:
                index.add_wheel(project, version)
                index.add_wheel(project, version, tag=LONG)
        index.add_wheel("unheard-of", "0.1")
        with httpx2.Client(base_url=gateway.url, trust_env=False) as client:
            for project in ("numbers", "number-theory", "letters"):
                client.get(f"/simple/{project}/{wheel_filename(project, '1.0')}").raise_for_status()
        yield gateway


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


def test_a_project_a_version_and_its_set_up_line_are_found_by_search_and_click(
    lab: Serving, browser: Browser, clients: Clients
) -> None:
    browser.requested.clear()
    browser.open(f"{lab.url}/")
    assert {"numbers", "number-theory", "letters"} <= set(browser.names("link"))
    assert browser.tab() == {"role": "link", "name": "wheelfs"}
    assert browser.tab() == {"role": "searchbox", "name": "Find a project"}
    browser.write("Number")
    browser.enter()
    assert {"numbers", "number-theory"} <= set(browser.names("link"))
    assert "letters" not in browser.names("link")
    browser.click("link", "numbers")
    assert browser.names("heading") == ["numbers", "Versions"]
    assert [name for name in browser.names("link") if name in VERSIONS] == sorted(VERSIONS, reverse=True)
    browser.click("link", "1.1")
    assert browser.title == "numbers 1.1 – wheelfs"
    lines = [browser.evaluate(f"document.querySelectorAll('code')[{number}].textContent") for number in (0, 1)]
    pip, uv = clients.pip(), clients.uv()
    pip.run(*shlex.split(lines[0])[1:]).succeeded()
    uv.run(*shlex.split(lines[1])[1:]).succeeded()
    assert pip.installed() == uv.installed() == {"numbers": "1.1"}
    browser.click("link", "numbers")
    assert browser.address == f"{lab.url}/project/numbers/"
    assert all(address.startswith(f"{lab.url}/") for address in browser.requested)


def test_what_nobody_has_looked_up_is_asked_for_with_one_click(lab: Serving, browser: Browser) -> None:
    browser.open(f"{lab.url}/?q=unheard-of")
    browser.click("button", "Ask the indexes for unheard-of")
    assert browser.names("heading") == ["unheard-of", "Versions"]
    browser.open(f"{lab.url}/project/no-index-has-it/")
    browser.click("button", "Ask the indexes for no-index-has-it")
    assert browser.names("heading") == ["no-index-has-it is not known here"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "phone"), [(1200, False), (360, True)])
def test_pages_fit_are_named_and_have_contrast(lab: Serving, browser: Browser, width: int, phone: bool, dark: bool) -> None:
    browser.look(width=width, phone=phone, dark=dark)
    for path in ("/", "/?q=number", "/project/numbers/", "/project/numbers/2.0%2Blab.1/", "/project/unknown/"):
        browser.open(f"{lab.url}{path}")
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, path
        levels = [
            next(one["value"]["value"] for one in heading["properties"] if one["name"] == "level")
            for heading in browser.find("heading")
        ]
        assert levels == [1, *[2] * (len(levels) - 1)], path
        assert all(browser.names("link") + browser.names("searchbox") + browser.names("button")), path
        assert browser.evaluate(CONTRAST) >= 4.5, path
        if browser.find("table"):
            assert all(browser.names("columnheader")), path


def test_no_option_of_a_set_up_line_is_broken_in_two(lab: Serving, browser: Browser) -> None:
    for width in range(230, 400, 10):
        browser.look(width=width, phone=True)
        browser.open(f"{lab.url}/project/numbers/")
        assert browser.evaluate(BROKEN) == [], width


def test_a_script_that_got_into_a_page_would_not_run(lab: Serving, browser: Browser) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    try:
        browser.open(f"{lab.url}/project/numbers/")
        # As an attacker's markup would: the policy forbids it, and the page stays as it is.
        browser.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'document.title = 1'}))")
        assert browser.title == "numbers – wheelfs"
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=True)
