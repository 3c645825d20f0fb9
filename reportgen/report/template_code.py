"""Templates compiled once, for a page that is rendered again with fewer pictures."""

from __future__ import annotations

import jinja2
from jinja2.bccache import Bucket


class TemplateCode(jinja2.BytecodeCache):
    """Compiled templates in memory; whose variables they see is up to each environment."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket with what was kept under its key."""
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._code[bucket.key] = bucket.bytecode_to_string()
