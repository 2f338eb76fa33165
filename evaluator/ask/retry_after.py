"""How long a server asks to be left alone, read from the headers of its refusal."""

import datetime as dt
import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_AN_EPOCH = 1e9
"""Larger numbers are moments since 1970, no waits: 1e9 s would be 32 years."""
_AN_EPOCH_MS = 1e12


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return for how many seconds the server asks to wait; None where it does not say, or makes no sense.

    `Retry-After` (RFC 9110) is seconds or a date, `retry-after-ms` is OpenAI's and Azure's, `RateLimit-Reset` is
    seconds or, as some gateways have it, a moment.

    Args:
        headers: Of the reply, found in either case.
        now: Seconds since 1970.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if value := headers.get("retry-after"):
        seconds = _number(value)
        return seconds if seconds is not None else _until(value, headers.get("date"), now)
    reset = _number(headers.get("ratelimit-reset") or headers.get("x-ratelimit-reset"))
    if reset is None or reset < _AN_EPOCH:
        return reset
    return max(0.0, (reset / 1000 if reset >= _AN_EPOCH_MS else reset) - now)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(date: str, servers_now: str | None, now: float) -> float | None:
    """Return the seconds until a date, by the server's own clock where it shows it."""
    if (then := _moment(date)) is None:
        return None
    shown = _moment(servers_now) if servers_now else None
    return max(0.0, then - (now if shown is None else shown))


def _moment(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
