"""Every log line is one JSON object, or readable; none shows the values of variables."""

from __future__ import annotations

import json
import logging
import logging.config
import sys

import pytest

from wanglou.agents.logs import configuration
from wanglou.agents.settings import LogFormat

TEXT = "和兴银行取不出钱,打我电话13912345678"


def formatter(layout: LogFormat) -> logging.Formatter:
    setup = configuration(layout, "info")
    configurator = logging.config.DictConfigurator(setup)
    return configurator.configure_formatter(setup["formatters"]["wanglou"])


def line(message: str, *arguments: object, **more: object) -> logging.LogRecord:
    logger = logging.getLogger("faust.somewhere")
    return logger.makeRecord(
        logger.name, logging.WARNING, "file.py", 7, message, arguments, None, extra=more
    )


def failed(text: str) -> logging.LogRecord:
    try:
        raise ValueError(len(text))
    except ValueError:
        record = line("failed")
        record.exc_info = sys.exc_info()
        return record


def test_a_line_is_one_json_object_with_level_logger_time_and_extra() -> None:
    written = formatter("json").format(line('第%d行\n"a"', 3, mention="3/17", to=["b"]))
    assert "\n" not in written
    said = json.loads(written)
    assert said.pop("timestamp").endswith("Z")
    assert said == {
        "event": '第3行\n"a"',
        "level": "warning",
        "logger": "faust.somewhere",
        "mention": "3/17",
        "to": ["b"],
    }
    assert "第3行" in written, "readable, not escaped"


def test_what_is_no_json_is_written_as_text() -> None:
    said = json.loads(formatter("json").format(line("x", error=ValueError("no"))))
    assert "no" in said["error"]


def test_the_console_shows_a_line_with_its_extra() -> None:
    written = formatter("console").format(line("dead letter", mention="3/17"))
    assert "dead letter" in written
    assert "mention=3/17" in written


@pytest.mark.parametrize("layout", ["json", "console"])
def test_a_traceback_shows_code_but_no_values(layout: LogFormat) -> None:
    written = formatter(layout).format(failed(TEXT))
    assert f"ValueError: {len(TEXT)}" in written
    assert "raise ValueError(len(text))" in written
    assert "13912345678" not in written


@pytest.mark.parametrize(("is_terminal", "is_json"), [(True, False), (False, True)])
def test_auto_is_json_unless_somebody_looks(
    is_terminal: bool, is_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert formatter("auto").format(line("x")).startswith("{") == is_json
