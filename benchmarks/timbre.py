"""What there is to draw from, what a drawn attack does to onsets, and what unpacking an .sf3 costs and changes.

    python benchmarks/timbre.py [FONT ...]     without fonts those that `--timbre random` draws from

Prints three tables. The middle one renders single notes with the longest and the shortest attack that may be drawn, and
tells how far the time moves at which the sound first comes within 20 dB and 10 dB of its loudest. Steps of one period
of a low note (7.6 ms at 130 Hz) are in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from clefkit import notes, registry
from clefkit.errors import ClefkitError
from clefkit.notes import Part, Performance
from clefkit.render import classes, sf2, sf3, synth, timbre
from clefkit.render.timbre import Timbre

RATE = 44_100
PARTS = tuple(
    Part("", program)
    for program in (0, 4, 6, 12, 16, 19, 24, 25, 33, 40, 41, 42, 43, 46, 48, 52, 56, 57, 60, 65, 68, 70, 71, 73)
)
SHARES = (0.01, 0.1)
SEEDS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("fonts", type=Path, nargs="*", help="without any: those that --timbre random draws from")
    fonts = parser.parse_args().fonts or [asset.path for asset in registry.timbre("random")[1]]
    print("fonts:", ", ".join(font.name for font in fonts))
    print(f"\n{'kind':22}{'presets':>8}{'sample sets':>12}{'origins':>8}{f'sets in {SEEDS} seeds':>18}")
    for part in (*PARTS, Part("", 0, drums=True)):
        print(_row(part, fonts))
    moved = np.array([shift for part in PARTS for shift in _moved(part, fonts)])
    print(f"\nonset moved by an attack, ms, {len(moved)} notes     median    95 %    99 %     max")
    for share, column in zip(SHARES, moved.T, strict=True):
        numbers = "".join(f"{number:8.2f}" for number in np.percentile(column, [50, 95, 99, 100]))
        print(f"within {-10 * np.log10(share):.0f} dB of the loudest            {numbers}")
    print(f"\n{'unpacked':32}{'CPU s':>8}{'MB':>8}{'loudest difference, dB':>24}")
    for font in fonts:
        if font.suffix == ".sf3":
            with tempfile.TemporaryDirectory() as folder:
                as_it_is = Path(folder) / "font"  # nobody unpacks a file of that name
                as_it_is.symlink_to(font)
                print(_unpacking(font, as_it_is))


def _row(part: Part, fonts: list[Path]) -> str:
    found = timbre.candidates(part, fonts)
    sets = {one.preset.samples for one in found}
    names = {(one.font, one.preset.bank, one.preset.program): one.preset.samples for one in found}
    asked = notes.make([0.0], [1.0], [60.0], parts=(part,))
    drawn = [timbre.choose(asked, fonts, np.random.default_rng(seed))[0] for seed in range(SEEDS)]
    used = {names[each[:3]] for each in drawn if each is not None}
    kind = classes.kind(part.program, drums=part.drums)
    return f"{kind:22}{len(found):8}{len(sets):12}{len(timbre.origins(found)):8}{len(used):18}"


def _moved(part: Part, fonts: list[Path]) -> list[list[float]]:
    found = []
    for font, preset in timbre.candidates(part, fonts):
        where = (font, preset.bank, preset.program)
        for key in {48, 60, 72} & preset.keys:
            for velocity in (50, 100):
                still, *others = (
                    _onsets(Timbre(*where, attack_timecents=change), key, velocity)
                    for change in (0, *timbre.attack_range(preset.attack_s))
                )
                found.append(np.abs(np.array(others) - still).max(axis=0).tolist())
    return found


def _onsets(played: Timbre, key: int, velocity: int) -> list[float]:
    """When a note of 0.8 s first reaches each share of its greatest power, ms."""
    performance = Performance(notes.make([0.0], [0.8], [key], [velocity]))
    samples = synth.render(performance, [played], RATE).audio.samples[:, : RATE // 2].astype(np.float64)
    power = np.convolve(np.square(samples).sum(axis=0), np.ones(RATE * 3 // 1000))
    return [float(np.argmax(power >= share * power.max())) / RATE * 1000 for share in SHARES]


def _unpacking(font: Path, as_it_is: Path) -> str:
    cached = sf3.unpacked(font)
    if cached != font:
        cached.unlink()
    began = time.process_time()
    plain = sf3.unpacked(font)
    cost = time.process_time() - began
    difference, loudest = 0.0, 0.0
    for preset in sf2.presets(font)[::4]:
        keys = sorted(preset.keys)[::6]
        onset = np.arange(len(keys)) / 2
        played = Performance(notes.make(onset, onset + 0.4, keys, [90] * len(keys)))
        try:
            sounds = [
                synth.render(played, [Timbre(each, *preset.where[:2])], RATE).audio.samples
                for each in (as_it_is, plain)
            ]
        except ClefkitError:  # a preset without a key
            continue
        length = min(sound.shape[1] for sound in sounds)
        difference = max(difference, float(np.abs(sounds[0][:, :length] - sounds[1][:, :length]).max(initial=0.0)))
        loudest = max(loudest, float(np.abs(sounds[0]).max(initial=0.0)))
    level = 20 * np.log10(difference / loudest) if difference else -np.inf
    return f"{font.name:32}{cost:8.1f}{plain.stat().st_size / 1e6:8.0f}{level:24.1f}"


if __name__ == "__main__":
    main()
