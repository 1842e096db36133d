from __future__ import annotations

import io
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from wheelfs.telemetry import Counters, RedactingFormatter, level_for, printable, set_up_logging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root_logger_restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("wheelfs")
    before = root.handlers[:], root.level, ours.level
    root.handlers[:] = []
    yield
    for target in root.handlers:
        target.close()
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)
    logging.captureWarnings(capture=False)


def logged(log: io.StringIO) -> logging.Logger:
    logger = logging.Logger("test")
    target = logging.StreamHandler(log)
    target.setFormatter(RedactingFormatter("%(levelname)s %(message)s"))
    logger.addHandler(target)
    return logger


def test_credentials_are_gone_from_message_arguments_and_traceback() -> None:
    log = io.StringIO()
    logger = logged(log)
    logger.warning("asked https://me:hunter2@index.example/simple/")
    logger.warning("asked %s and %r", "https://me:hunter2@index.example/", {"url": "https://hunter2@index.example/"})
    try:
        raise ValueError("no answer from https://me:hunter2@index.example/")
    except ValueError:
        logger.exception("failed")
    text = log.getvalue()
    assert "hunter2" not in text
    assert text.count("***@index.example") == 5, "three in messages, two in the traceback: the source line and the error"


def test_a_stranger_cannot_forge_a_line_or_steer_the_terminal() -> None:
    log = io.StringIO()
    logged(log).warning("bad name %s", "x\nERROR all is lost\x1b[2J\r")
    assert log.getvalue() == "WARNING bad name x\\nERROR all is lost\\x1b[2J\\r\n"
    assert printable("ünï\tcode ok") == "ünï\tcode ok"


def test_the_log_file_gets_lines_of_its_level_and_above(tmp_path: Path, root_logger_restored: None) -> None:
    path = tmp_path / "log" / "mount.log"
    set_up_logging("info", log_file=path)
    logging.getLogger("wheelfs.x").info("told")
    logging.getLogger("wheelfs.x").debug("not told")
    logging.getLogger("library").info("not told either")
    lines = path.read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("INFO wheelfs.x: told")


def test_what_a_command_says_is_no_line_of_a_log(capsys: pytest.CaptureFixture[str], root_logger_restored: None) -> None:
    set_up_logging("warning", is_talk=True)
    logging.getLogger("wheelfs.x").warning("the index is down: https://me:hunter2@lab.example\n")
    assert capsys.readouterr().err == "wheelfs: the index is down: https://***@lab.example\\n\n"


def test_verbosity_raises_the_level_and_stops_at_debug() -> None:
    assert [level_for("warning", steps) for steps in (0, 1, 2, 9)] == ["warning", "info", "debug", "debug"]


def test_counts_from_many_threads_are_all_there() -> None:
    counters = Counters()

    def work() -> None:
        for _ in range(500):
            counters.count_request()
            counters.count_fetched(3)
            counters.count_saved(2)
            counters.count_brought(5, 1)
            counters.count_error("open", "ENETUNREACH")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = counters.so_far()
    assert (counts.requests, counts.fetched_bytes, counts.saved_bytes) == (2000, 6000, 6000)
    assert (counts.needed_bytes, counts.delta_saved_bytes) == (10_000, 2000)
    assert counts.errors == {("open", "ENETUNREACH"): 2000}
