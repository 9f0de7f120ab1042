"""How a piano roll looks, in light and in the dark. Plain rules, for printers' converters know no variables."""

from __future__ import annotations

from clefkit.score.plot.words import FONT

STYLE = f"""
text{{font:11px {FONT};fill:#555}}
.title{{font-size:17px;font-weight:600;fill:#111}}
.figures,.legend text{{font-size:13px;fill:#333}}
.name,.left-out{{fill:#777}}
.name{{text-anchor:end}}
.time{{text-anchor:middle}}
.paper{{fill:#fff}}
.black{{fill:#f6f6f6}}
.line{{stroke:#ececec}}
.strong{{stroke:#cfcfcf}}
.hit rect{{fill:#56b4e9}}
.hit .r{{fill:none;stroke:#004b7a;stroke-width:.9}}
.missed rect{{fill:none;stroke:#d55e00;stroke-width:1.3;stroke-dasharray:4 2}}
.false rect{{fill:#e69f00}}
.false use{{stroke:#3d2a00}}
.octave rect{{fill:#cc79a7}}
.octave path{{fill:none;stroke:#8a3766;stroke-width:.9}}
@media (prefers-color-scheme:dark){{
text{{fill:#aaa}}
.title{{fill:#f2f2f2}}
.figures,.legend text{{fill:#d0d0d0}}
.name,.left-out{{fill:#8c8c8c}}
.paper{{fill:#16181c}}
.black{{fill:#1c1f24}}
.line{{stroke:#262a30}}
.strong{{stroke:#3d434c}}
.hit rect{{fill:#2678ab}}
.hit .r{{stroke:#b5e0fb}}
.missed rect{{stroke:#ff8b3d}}
.false use{{stroke:#fff3d6}}
.false rect{{fill:#b87f00}}
.octave rect{{fill:#cc79a7}}
.octave path{{stroke:#f0b9d6}}
}}
"""
MARKS = '<path id="cross" d="M-2.5-2.5 2.5 2.5M-2.5 2.5 2.5-2.5"/>'
SAMPLES = {
    "hit": '<rect x="3" y="-9" width="26" height="9"/><rect class="r" y="-9" width="26" height="9"/>',
    "missed": '<rect class="r" y="-9" width="26" height="9"/>',
    "false": '<rect y="-9" width="26" height="9"/><use href="#cross" x="3" y="-4.5"/>',
    "octave": '<rect y="-9" width="26" height="9"/><path d="M1-5V6"/>',
}
