"""The logger of separations."""

from __future__ import annotations

import logging


def get_separation_logger(console_level: int = logging.INFO, **options: object) -> logging.Logger:
    """The one logger, which writes to standard error. Options for log files have no effect."""
    del options
    logger = logging.getLogger("pymss")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s | %(levelname)s | %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    logger.handlers[0].setLevel(console_level)
    return logger
