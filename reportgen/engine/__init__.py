"""Every forward of the program, behind one door: what is listed here and nothing else.

`Engine` decodes and encodes; `Coalitions` makes the codes of which units come from where,
`CodeParts` those of which parts are added, and `CodePanel` is such codes for several rows. Nothing
outside this room knows how a forward is made fast: `fast/` holds all of that, and
`REPORTGEN_PLAIN=1` or `Engine(plain=True)` leaves it out.
"""

from reportgen.engine.coalitions import Coalitions, CodePanel
from reportgen.engine.engine import Engine
from reportgen.engine.parts import CodeParts

__all__ = ["Coalitions", "CodePanel", "CodeParts", "Engine"]
