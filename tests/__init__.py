"""Tests mirror the package; importing them first settles how threads share the cores."""

from reportgen.process.calm_threads import calm_threads

calm_threads()
