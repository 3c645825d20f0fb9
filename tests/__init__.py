"""Tests mirror the package; importing them first settles how threads share the cores."""

from reportgen.threads import calm_threads

calm_threads()
