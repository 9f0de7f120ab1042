"""Pictures of what was found and what was not: a piano roll a file, and a page of them, worst first.

Time runs to the right, pitch upward. An outline is a note of the reference, a filled bar is a note of the estimate. So
a hit is a filled outline, and shows how late it is and how wrong its length; what was missed is an empty, dashed
outline; what is false is a crossed bar without an outline; and a thin line leads from a note that is octaves off to its
place. Colours are those that everybody can tell apart (Okabe and Ito, Color Universal Design, 2008); form says the same
again.
"""

from __future__ import annotations

from clefkit.score.plot.draw import roll
from clefkit.score.plot.index import page

__all__ = ["page", "roll"]
