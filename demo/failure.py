"""The one error of the demo: something that was promised did not happen.

Must not know: what was promised, or how it is told.
"""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on; the message is for a person and stands by itself."""
