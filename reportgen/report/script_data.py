"""JSON inside a script element."""

from __future__ import annotations


def safe_in_script(text: str) -> str:
    """JSON that cannot end its script element or start a comment in it; still the same JSON."""
    unsafe = "<>&\u2028\u2029"
    return text.translate({ord(character): f"\\u{ord(character):04x}" for character in unsafe})
