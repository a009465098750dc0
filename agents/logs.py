"""How a worker logs: one formatter for all loggers, JSON for machines, columns on a terminal.

Modules log with the standard library. A record about a mention names it in ``extra``: ``mention``,
its partition and offset in the raw topic, is the same in all agents. It leads to the message that
was collected and, unlike the id of a post, tells nothing about who wrote it.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import faust
import structlog
from faust.worker import Worker

from wanglou.agents.settings import LogFormat, WorkerSettings
from wanglou.agents.stacks import all_stacks

logger = logging.getLogger(__name__)


def configuration(layout: LogFormat, level: str) -> dict[str, Any]:
    """A configuration for ``logging.config.dictConfig``; all goes to stderr.

    Tracebacks show code and the exception's message, never the values of variables.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "wanglou": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [
                    structlog.stdlib.add_log_level,
                    structlog.stdlib.add_logger_name,
                    structlog.stdlib.ExtraAdder(),
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                ],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_renderers(layout),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "wanglou"}},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        "loggers": {"aiokafka": {"level": "WARNING"}},  # it tells of every poll
    }


def _renderers(layout: LogFormat) -> list[structlog.typing.Processor]:
    if layout == "console" or (layout == "auto" and sys.stderr.isatty()):
        return [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # the default shows variables
            )
        ]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]


class SignalledWorker(Worker):
    """Faust's worker, with our logs. SIGUSR1: log all stacks. SIGUSR2: log all, or no more.

    In their place Faust's own would show the values of variables, and wait for a debugger.
    """

    def __init__(self, app: faust.App, settings: WorkerSettings) -> None:
        super().__init__(
            app,
            loglevel=settings.log_level,
            logging_config=configuration(settings.log_format, settings.log_level),
            redirect_stdouts=False,
        )
        self.spinner = None  # it would draw between the lines, and let all levels through
        self._level = settings.log_level.upper()

    def _on_sigusr1(self) -> None:
        logger.warning("asked by SIGUSR1 for all stacks\n%s", all_stacks())

    def _on_sigusr2(self) -> None:
        root = logging.getLogger()
        level = self._level if root.level == logging.DEBUG else "DEBUG"
        root.setLevel(level)
        logger.warning("log level %s, by SIGUSR2", level.lower())
