"""A General MIDI font of other origin, GeneralUser GS (S. Christian Collins, 1.471), made from WebAudioFont's files.

The repository surikov/webaudiofontdata has each instrument of that font as a script with zones: an MP3, the keys it is
for, its loop and its tuning. From a clone of it, at one commit, this makes a SoundFont 2.01 file (E-mu Systems 1998):

    python -m clefkit.train.webfont --clone CLONE --out GeneralUserGS.sf2

A file `0210_GeneralUserGS_sf2_file.js` becomes the preset of bank 0, program 21, and `0211` that of bank 1: what plays
in it besides, or a variation. It is named by its samples, so that what is no accordion doesn't say so. There are no
drums.

WebAudioFont keeps neither envelopes, filters, layers by velocity nor levels. Here held instruments sound at full level
as long as the key is down; plucked and struck ones begin to fade where their loop begins, by 8 dB/s at C4, half as fast
two octaves below. `ahdsr` only tells WebAudioFont's player to fade a note (the oboe, but not the sitar) and is ignored.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import io
import itertools
import math
import re
import struct
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import DTypeLike, NDArray

from clefkit.errors import ClefkitError, InputError, MissingError
from clefkit.render import sf2
from clefkit.train import gather

Array = NDArray[np.int16]
Row = tuple[Any, ...]

ADDRESS = "https://github.com/surikov/webaudiofontdata"
COMMIT = "23ca907d4370a04fd89ca483a92915e4d6159ab9"
FILE = re.compile(r"sound/(?P<program>\d{3})(?P<bank>\d+)_GeneralUserGS_sf2_file\.js")
# Files with a recording that is also in what is held out (`heldout_sounds`): at one rate, tuned by up to 50 cents, the
# first 0.3 s agree, differentiated twice so that it isn't a plain tone that agrees, at a normalised cross-correlation
# above 0.8 (above 0.95 in most). Some are out for caution: 0321 and 0790 have other samples of such an instrument, and
# ocarina and pan flute agreed only transposed to one pitch (0.96 and 0.85). Left in are other pairs that agree only
# transposed, up to 0.96: single high notes that are nearly sines, as many between a Rhodes and a grand piano.
LEFT_OUT: tuple[str, ...] = (
    *("0420", "0421", "0430"),  # MuseScore_General's cello, all of it, and a double bass made of it
    # FreePats' patches of the same names:
    *("0000", "0001", "0010", "0011", "0021", "0030", "0054"),  # grand piano, its highest notes
    *("0070", "0071", "0841", "0090", "1120", "0130"),  # clavinet, glockenspiel, xylophone
    *("0171", "0181"),  # percussive organ
    *("0260", "0270", "0281", "1031", "0290"),  # jazz and clean guitar, charang
    *("0320", "0321", "0322", "0450", "0485"),  # acoustic bass, pizzicato strings
    *("0570", "0571", "04810", "0611", "0613"),  # trombone
    *("0484", "0700", "0670"),  # bassoon, baritone saxophone
    *("0302", "0311", "0790", "0791", "0761", "0771", "0823"),  # ocarina, pan flute
    *("1140", "1151"),  # steel drums, wood block
    *("0488", "0680", "0701", "0650"),  # oboe and alto saxophone, each for one note that agreed over 0.1 s alone
    # Of synthesizers, only that layer is there which is none: flute, distortion guitar, nylon guitar.
    *("0820", "0840", "0990"),
)

HEAD = re.compile(r"(?:console\.log\('[^']*'\);\s*)?var \w+=\{\s*zones:\[\s*")
ZONE = re.compile(
    r"\{\s*midi:\d+\s*,originalPitch:(?P<pitch>\d+)\s*,keyRangeLow:(?P<low>\d+)\s*,keyRangeHigh:(?P<high>\d+)"
    r"\s*,loopStart:(?P<start>-?\d+)\s*,loopEnd:(?P<end>-?\d+)\s*,coarseTune:(?P<coarse>-?\d+)"
    r"\s*,fineTune:(?P<fine>-?\d+)\s*,sampleRate:(?P<rate>\d+)\s*,ahdsr:(?:true|false)"
    r"\s*,file:'(?P<file>[A-Za-z0-9+/]+=*)'\s*,anchor:[\d.e-]+\s*//_tone\.(?P<name>\S+)\s*\}\s*"
)
TAIL = re.compile(r"\]\s*\};\s*")
NOTE = re.compile(r"_?[A-G][b_]?_?-?\d.*")  # where a sample's name says its pitch

# What WebAudioFont lost of the tuning, cents above what a file says: measured on the samples of those names (harmonics
# and autocorrelation), all of a name alike. Beginnings of names. Organs with a 16 foot drawbar are meant to be low.
MISTUNED: dict[str, int] = {
    **dict.fromkeys(("Trumpet", "Muted_Trumpet", "Finger_Bass", "Pick_Bass", "Fretless_Bass", "Slap_Bass_1"), -1200),
    **dict.fromkeys(("English_Horn", "Piccolo"), 1200),
    "Whistle": 1238,
    "Sitar": 64,
    **dict.fromkeys(("Sine_", "Saw_", "Square_", "Pulse_", "Triangle_"), 23),
    "Rhodes": 22,
    "Slap_Bass_2": 20,
    "Marimba": -19,
    "Organ_Slow": -34,
}

# Programs whose notes die away by themselves: keys, mallets, plucked strings, percussion; organs and synthesizers not.
DYING = frozenset({*range(16), *range(24, 29), *range(31, 38), 45, 46, 47, *range(104, 109), *range(112, 119)})
DECAY_S = 12.0  # by 100 dB, at C4
RELEASE_S = 0.3  # by 100 dB
SHORTEST_LOOP = 10
MISSING = 2  # samples that rounding takes from the end of a loop, at most
AFTER = 8  # samples of the loop's beginning that follow its end, for interpolation: section 7.10
GAP = bytes(2 * 46)  # between samples: section 6.1

# Kinds of generators: section 8.1.2.
HOLD, DECAY, SUSTAIN, RELEASE, KEY_TO_HOLD, KEY_TO_DECAY = 35, 36, 37, 38, 39, 40
COARSE_TUNE, FINE_TUNE, MODES, ROOT = 51, 52, 54, 58


class Zone(NamedTuple):
    """A recording for some keys.

    low, high: MIDI keys; cents: the pitch that it has when played as it is; start, end: its loop, in samples of `rate`
    mp3: the recording
    """

    name: str
    low: int
    high: int
    cents: int
    rate: int
    start: int
    end: int
    mp3: bytes

    @property
    def looped(self) -> bool:
        return self.start >= 0 and self.end - self.start > SHORTEST_LOOP


class Preset(NamedTuple):
    """One file. keys: lowest, highest, and the recording that sounds for them, without overlaps."""

    file: str
    bank: int
    program: int
    keys: list[tuple[int, int, Zone]]

    @property
    def name(self) -> str:
        """What most of its samples are called, without their pitch; at most 20 characters."""
        names = Counter(NOTE.sub("", zone.name) or zone.name for _, _, zone in self.keys)
        return names.most_common(1)[0][0].replace("_", " ").strip()[:20]


class Sample(NamedTuple):
    """A recording as the font holds it. sound: (samples,), up to AFTER past the end of its loop"""

    sound: Array
    looped: bool


def build(clone: Path, commit: str, out: Path) -> str:
    """Write the font; the same bytes each time.

    clone: a clone of `ADDRESS`, with or without a work tree
    returns: a line for people
    raises: MissingError when the clone is not there, InputError when a file of it is not as WebAudioFont writes it
    """
    presets = list(read(clone, commit))
    if not presets:
        raise MissingError(f"no instruments of GeneralUser GS there; get them with\ngit clone {ADDRESS} {clone}")
    content, count = encode(presets)
    part = out.with_name(f".{out.name}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(content)
    part.replace(out)
    return f"{out.name}: {len(presets)} presets, {count} samples, {len(content) / 1e6:.1f} MB"


def read(clone: Path, commit: str) -> Iterator[Preset]:
    """The presets of a commit, by bank and program, but for those in LEFT_OUT. Raises what `build` does."""
    matches = [match for name in gather.names(clone, commit) if (match := FILE.fullmatch(name))]
    matches = [match for match in matches if match["program"] + match["bank"] not in LEFT_OUT]
    matches.sort(key=lambda match: (int(match["bank"]), int(match["program"])))
    for match, content in zip(matches, gather.contents(clone, commit, [match[0] for match in matches]), strict=True):
        yield Preset(match[0], int(match["bank"]), int(match["program"]), one_each(zones(content, match[0])))


def zones(content: bytes, file: str) -> list[Zone]:
    """The zones of a file, in its order. Raises InputError naming `file` when it is not as WebAudioFont writes it."""
    text = content.decode("utf-8", "replace")
    position, found = _after(HEAD, text, 0, file).end(), []
    while True:
        match = _after(ZONE, text, position, file)
        found.append(_zone(match, file))
        position = match.end()
        if text[position : position + 1] != ",":
            break
        position += 1
    if _after(TAIL, text, position, file).end() != len(text):
        raise InputError(f"{file} goes on after its end")
    return found


def _after(pattern: re.Pattern[str], text: str, position: int, file: str) -> re.Match[str]:
    match = pattern.match(text, position)
    if match is None:
        line = text.count("\n", 0, position) + 1
        raise InputError(f"{file} is not an instrument of WebAudioFont: something else begins in line {line}")
    return match


def _zone(match: re.Match[str], file: str) -> Zone:
    low, high, rate, start, end = (int(match[name]) for name in ("low", "high", "rate", "start", "end"))
    if not low <= high <= 127 or rate == 0:
        raise InputError(f"{file}: the zone {match['name']} has keys {low} to {high} and a rate of {rate} Hz")
    cents = int(match["pitch"]) - 100 * int(match["coarse"]) - int(match["fine"])  # as WebAudioFont's player has it
    cents += next((off for name, off in MISTUNED.items() if match["name"].startswith(name)), 0)
    try:
        mp3 = base64.b64decode(match["file"], validate=True)
    except binascii.Error as error:
        raise InputError(f"{file}: the recording of the zone {match['name']} is damaged") from error
    return Zone(match["name"], low, high, cents, rate, start, end, mp3)


def one_each(found: list[Zone]) -> list[tuple[int, int, Zone]]:
    """One zone a key: the first, the instrument itself; those after it are overtones, echoes, breath and attacks.

    WebAudioFont's player takes the last one, and plays the Rhodes' overtones alone and a celesta's echo.
    """
    owners: list[Zone | None] = [None] * 128
    for zone in reversed(found):
        owners[zone.low : zone.high + 1] = [zone] * (zone.high + 1 - zone.low)
    runs = [(zone, list(keys)) for zone, keys in itertools.groupby(range(128), key=owners.__getitem__)]
    return [(keys[0], keys[-1], zone) for zone, keys in runs if zone is not None]


def decode(zone: Zone, file: str) -> Sample:
    """A zone's recording at its own rate, where its loop is a whole number of samples.

    MP3 knows few rates, so some recordings were resampled, and go back: so loops lie where other fonts that use the
    same recording have them, which is how `sf2` knows it. The decoder leaves out the encoder's delay: over all files
    the decoded length is the original's, and the sound before a loop's start and that before its end differ least at
    an offset of 0 (median 0.3 % of the power; 1.2 % at -576 samples, 1.6 % at -1,105, 4 % and more at 529 and 576).
    raises: InputError naming `file` when it can't be decoded
    """
    try:
        sound, rate = soundfile.read(io.BytesIO(zone.mp3), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{file}: the recording of the zone {zone.name} can't be decoded") from error
    mono = np.asarray(sound.mean(axis=1), np.float32)
    if rate != zone.rate:
        mono = np.asarray(soxr.resample(mono, rate, zone.rate), np.float32)
    looped = zone.looped and zone.end <= len(mono) + MISSING
    if looped:
        mono = np.pad(mono, (0, MISSING), mode="edge")[: zone.end]
        mono = np.concatenate([mono, np.resize(mono[zone.start :], AFTER)])
    return Sample(np.asarray(np.clip(np.rint(mono * 32_768), -32_768, 32_767), np.int16), looped)


def encode(presets: list[Preset]) -> tuple[bytes, int]:
    """A SoundFont 2.01 file, and how many samples it has; each preset has an instrument of its own.

    raises: InputError naming the file of a recording that can't be decoded
    """
    places: dict[Row, tuple[int, bool]] = {}
    sounds: list[bytes] = []
    headers: list[Row] = []
    bags, generators = [0], list[tuple[int, int]]()
    starts = [0]
    length = 0
    for preset in presets:
        for low, high, zone in preset.keys:
            known = (zone.mp3, zone.rate, zone.start, zone.end)
            if known not in places:
                sample = decode(zone, preset.file)
                places[known] = len(headers), sample.looped
                headers.append(_header(zone, sample, length))
                sounds.append(sample.sound.astype("<i2").tobytes() + GAP)
                length += len(sounds[-1]) // 2
            index, looped = places[known]
            generators += _generators(low, high, zone, looped, dying=preset.program in DYING)
            generators.append((sf2.SAMPLE, index))
            bags.append(len(generators))
        starts.append(len(bags) - 1)
    tables = _tables(presets, starts, bags, generators, headers)
    return _file(b"".join(sounds), tables), len(headers)


def _header(zone: Zone, sample: Sample, begin: int) -> Row:
    end = begin + len(sample.sound)
    loop = (begin + zone.start, begin + zone.end) if sample.looped else (begin, begin)
    return zone.name.encode()[:19], begin, end, *loop, zone.rate, _tuning(zone.cents)[0], 0, 0, 1


def _tuning(cents: int) -> tuple[int, int, int]:
    """Root key, and the semitones and cents that make it sound as it should."""
    root = min(max(round(cents / 100), 0), 127)
    coarse = round((100 * root - cents) / 100)
    return root, coarse, 100 * (root - coarse) - cents


def _generators(low: int, high: int, zone: Zone, looped: bool, *, dying: bool) -> list[tuple[int, int]]:
    """What a zone says before it names its sample, which comes last; keys come first."""
    root, coarse, fine = _tuning(zone.cents)
    found = [(sf2.KEYS, low | high << 8), (RELEASE, _timecents(RELEASE_S))]
    if dying and looped:
        # Up to its loop a recording dies away by itself. Higher keys play it faster, by 100 timecents a key.
        hold = _timecents(max(zone.start, 1) / zone.rate) + zone.cents - 6000
        found += [(HOLD, max(min(hold, 5000), -12_000)), (KEY_TO_HOLD, 100)]
        found += [(DECAY, _timecents(DECAY_S)), (KEY_TO_DECAY, 50), (SUSTAIN, 1000)]
    return [*found, (COARSE_TUNE, coarse), (FINE_TUNE, fine), (MODES, int(looped)), (ROOT, root)]


def _timecents(seconds: float) -> int:
    return round(1200 * math.log2(seconds))


def _tables(
    presets: list[Preset], starts: list[int], bags: list[int], generators: list[tuple[int, int]], headers: list[Row]
) -> dict[bytes, list[Row]]:
    """Rows of the nine tables; each ends with one that only marks the end.

    starts: of each instrument, where its zones begin; bags: of each zone, where its generators begin
    """
    order = range(len(presets))
    unused = (0, 0, 0)
    phdr = [(each.name.encode(), each.program, each.bank, n, unused) for n, each in enumerate(presets)]
    inst = [(each.name.encode(), start) for each, start in zip(presets, starts, strict=False)]
    return {
        b"phdr": [*phdr, (b"EOP", 0, 0, len(presets), unused)],
        b"pbag": [(n, 0) for n in range(len(presets) + 1)],
        b"pmod": [(0, 0, 0, 0, 0)],
        b"pgen": [*((sf2.INSTRUMENT, n) for n in order), (0, 0)],
        b"inst": [*inst, (b"EOI", starts[-1])],
        b"ibag": [(start, 0) for start in bags],
        b"imod": [(0, 0, 0, 0, 0)],
        b"igen": [*generators, (0, 0)],
        b"shdr": [*headers, (b"EOS", *[0] * 9)],
    }


def _file(sounds: bytes, tables: dict[bytes, list[Row]]) -> bytes:
    info = _chunk(b"ifil", struct.pack("<HH", 2, 1)) + _chunk(b"isng", b"EMU8000\0")
    info += _chunk(b"INAM", b"GeneralUser GS\0\0") + _chunk(b"ICOP", b"S. Christian Collins\0\0")
    data = b"".join(_chunk(name, _packed(rows, sf2.TABLES[name])) for name, rows in tables.items())
    lists = [b"INFO" + info, b"sdta" + _chunk(b"smpl", sounds), b"pdta" + data]
    return _chunk(b"RIFF", b"sfbk" + b"".join(_chunk(b"LIST", each) for each in lists))


def _packed(rows: list[Row], row: DTypeLike) -> bytes:
    return np.array(rows, row).tobytes()


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


def _main(arguments: Iterable[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m clefkit.train.webfont", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clone", type=Path, required=True, metavar="DIR", help=f"a clone of {ADDRESS}")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the font to make")
    chosen = parser.parse_args(list(arguments))
    try:
        sys.stderr.write(f"{build(chosen.clone, COMMIT, chosen.out)}\n")
    except ClefkitError as error:
        sys.exit(f"webfont: {error}")


if __name__ == "__main__":
    _main(sys.argv[1:])
