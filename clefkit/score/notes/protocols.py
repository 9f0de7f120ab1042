"""Under which rules notes count as the same.

Numbers of different papers can be compared only where these agree. All rules share: pitch within 50 cents; distances in
time are rounded to 0.1 ms before they are compared; drums by onset and key alone.

- MIREX's note tracking: Bay, Ehmann and Downie, Evaluation of Multiple-F0 Estimation and Tracking Systems, 2009.
- MAESTRO's offsets, which the sustain pedal moves: Hawthorne et al., Onsets and Frames, 2018, and Enabling Factorized
  Piano Music Modeling and Generation with the MAESTRO Dataset, 2019; note_seq's `apply_sustain_control_changes`.
- MT3: Gardner et al., MT3: Multi-Task Multitrack Music Transcription, 2022.
"""

from __future__ import annotations

from typing import NamedTuple

from clefkit.errors import UsageError


class Rule(NamedTuple):
    """onset_s: how far an onset may be off; offset_s, offset_ratio: and an offset: so many seconds, or so much of the
    reference's duration, whichever is more; pedal: whether the sustain pedal holds notes, on both sides"""

    onset_s: float = 0.05
    offset_s: float = 0.05
    offset_ratio: float = 0.2
    pedal: bool = False


RULES = {
    "mirex": Rule(),
    "maestro-sustain": Rule(pedal=True),
    "mt3": Rule(pedal=True),
    "mirex-25ms": Rule(onset_s=0.025, offset_s=0.025),
    "mirex-100ms": Rule(onset_s=0.1, offset_s=0.1),
}
_PEDAL = (
    "offsets where the sustain pedal lets go or the key is struck again (controller 64 from 64 on; `sounding` of note "
    "JSON Lines)"
)
PROTOCOLS = {
    "mirex": "mir_eval 0.8: onset 50 ms, pitch 50 cents; offset 50 ms or 20 %, where the key goes up, no pedal; "
    "frames 10 ms, onset <= time < offset; drums apart, by onset and key",
    "maestro-sustain": f"mirex, but {_PEDAL}",
    "mt3": f"mirex, but {_PEDAL}; so multi_* and drum_* are MT3's",
    "mirex-25ms": "mirex, but stricter: onset 25 ms; offset 25 ms or 20 %",
    "mirex-100ms": "mirex, but looser: onset 100 ms; offset 100 ms or 20 %",
}


def rule(protocol: str) -> Rule:
    """raises: UsageError when there is no such protocol"""
    if protocol not in RULES:
        raise UsageError(f"notes have no protocol {protocol!r}: there are {', '.join(RULES)}")
    return RULES[protocol]
