"""``containers/gateway/Dockerfile``: its steps are run, one stage after the other, in a copy of this machine's root.

This machine stands in for Debian's image, so what is tested is that the steps work and that what they make serves, under its own
user; not what the image lacks.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.fakes.processes import ROOT
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from tests.fakes.roots import MachineRoot

DOCKERFILE = ROOT / "containers" / "gateway" / "Dockerfile"


class Step(NamedTuple):
    instruction: str
    words: str


def steps() -> list[Step]:
    """Return the instructions, with lines joined and remarks left out."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE))
    return [Step(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def test_the_last_stage_has_no_compiler_and_no_root() -> None:
    last = steps()[max(number for number, step in enumerate(steps()) if step.instruction == "FROM") :]
    assert not any(word in step.words for step in last for word in ("gcc", "-dev"))
    assert [step.words for step in last if step.instruction == "USER"] == ["wheelfs"]
    entry = json.loads(next(step.words for step in last if step.instruction == "ENTRYPOINT"))
    assert entry == ["wheelfs", "serve"]


@pytest.mark.soak
@pytest.mark.real_index
def test_its_steps_make_a_gateway_that_serves_as_its_own_user(root: MachineRoot) -> None:
    variables: dict[str, str] = {}
    for instruction, words in steps():
        if instruction == "RUN":
            root.run(words, more=variables).succeeded()
        elif instruction == "COPY" and "--from" not in words:
            *sources, place = words.split()
            target = root.changed / place.strip("/")
            for source in sources:
                path = ROOT / source
                if path.is_dir():
                    shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    target.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, target)
        elif instruction == "ENV":
            name, _, value = words.partition("=")
            variables[name] = value
    command = root.command("exec wheelfs --json serve --no-index", user="wheelfs")
    environment = root.environment({**variables, "WHEELFS_SERVE_LISTEN": "127.0.0.1:0", "HOME": "/var/lib/wheelfs"})
    with subprocess.Popen(command, env=environment, cwd="/", stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            [url] = json.loads(process.stdout.readline())["urls"]
            with urllib.request.urlopen(f"{url}/") as page:
                assert b"<title>wheelfs" in page.read()
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
    eventually(lambda: process.returncode is not None)
    assert process.returncode == 0
    assert (root.changed / "var/lib/wheelfs/catalog").is_dir()
