"""Kinds of instruments: which presets of a soundfont may stand for each other.

A part asks by its General MIDI program. In a font that has most of General MIDI, the presets of bank 0 are what their
program says, and further banks (1 to 16, the variations of Roland's GS) count where their names say that they are the
same instrument: bank 8 has a ukulele under the nylon guitar. In any other font only names count, since a font with one
violin has it as program 0.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from clefkit.render import sf2
from clefkit.render.sf2 import Preset

GENERAL_MIDI = 100  # programs of bank 0 from which on a font is taken for General MIDI
LAST_VARIATION = 16
# A slower attack, where nobody asked for one, puts the note after its label.
SLOWEST_ATTACK_S = 0.15
LAST_STANDARD_KIT = 24

# What changes the notes (coupled stops, chords), their times, or the instrument.
OTHERWISE = re.compile(
    r"expr|detun|coupl|octave|\b[58]ths?\b|slow|\bpads?\b|synth|\bsyn\b|stack|layer|chord|loop|split|echo|delay"
    r"|feedback|effect|\bfx\b|noise|release|harmonics|trem|trill|gliss|fall|roll|stac|spic|pizz|mute|&|\+| and ",
    re.IGNORECASE,
)
NOTHING = re.compile(r"(?!)")


class Kind(NamedTuple):
    """An instrument.

    programs: General MIDI's; words: what a name must match; others: what it must not match, beside what no kind may
        have in the rest of its name
    """

    name: str
    programs: tuple[int, ...]
    words: re.Pattern[str]
    others: re.Pattern[str]

    def fits(self, name: str) -> bool:
        """Whether a preset's name says that it is this instrument."""
        if not self.words.search(name) or self.others.search(name):
            return False
        return not OTHERWISE.search(self.words.sub(" ", name))


def _kind(name: str, programs: tuple[int, ...], words: str, others: str = "") -> Kind:
    ignoring = re.compile(others, re.IGNORECASE) if others else NOTHING
    return Kind(name, programs, re.compile(words, re.IGNORECASE), ignoring)


ELECTRIC = r"electr|\be\.? ?p(iano)?s?\b|rhodes|wurl|\bfm\b|dx-?7|tine|clav"
GUITAR = r"g(ui|tr|t\b)"
SOLO = r"violins|violas|celli\b|section|ensemble|orch|strings"
TABLE = (
    _kind("piano", (0, 1), r"piano|grand|steinway|b(ö|o|oe)sendorfer|bechstein",
          ELECTRIC + r"|honky|toy|prepared|tack|rag|digital|cp-?\d\d|harp|org|choir|string|bass|guit|dance|house"),
    _kind("electric grand", (2,), r"electric grand|e-?grand|cp-?[78]0"),
    _kind("honky-tonk piano", (3,), r"honky|tack piano|ragtime"),
    _kind("electric piano", (4, 5), r"electric piano|\be\.? ?p(iano)?s?\b|rhodes|wurl|tine|fm piano|dx-?7",
          r"grand|bass"),
    _kind("harpsichord", (6,), r"harpsi\w*|cembalo|clavecin|spinet|virginal"),
    _kind("clavinet", (7,), r"clavinet|\bclavi\b"),
    _kind("celesta", (8,), r"celest"),
    _kind("glockenspiel", (9,), r"glock"),
    _kind("music box", (10,), r"music ?box"),
    _kind("vibraphone", (11,), r"vibra?phone|\bvibes?\b"),
    _kind("marimba", (12,), r"marimba"),
    _kind("xylophone", (13,), r"xylo"),
    _kind("tubular bells", (14,), r"tubular|\bchimes\b", r"wind|church"),
    _kind("dulcimer", (15,), r"dulcimer|santur|santoor|cimbalom"),
    _kind("electric organ", (16, 17, 18), r"drawbar|hammond|\bb-?3\b|(rock|perc\w*|jazz|tonewheel) organ"),
    _kind("church organ", (19,), r"(church|pipe|cathedral) ?org|principal"),
    _kind("reed organ", (20,), r"reed org|harmonium"),
    _kind("accordion", (21,), r"accord[ie]|akkorde"),
    _kind("harmonica", (22,), r"harmonica"),
    _kind("bandoneon", (23,), r"bandon|tango"),
    _kind("nylon guitar", (24,), r"nylon|(classical|spanish|flamenco) ?" + GUITAR),
    _kind("steel guitar", (25,), r"steel|(acoustic|folk) ?" + GUITAR, r"12|twelve|pedal|lap|drum|nylon|mandolin"),
    _kind("jazz guitar", (26,), r"hollow ?body|jazz ?" + GUITAR, r"bass"),
    _kind("clean guitar", (27,), r"\bstrat|(clean|electric) ?" + GUITAR, r"bass|dist|drive|jazz"),
    _kind("muted guitar", (28,), r"(palm[- ]?|guitar[- ]|\b)mute\w*", r"trump|tromb|bass|horn|funk"),
    _kind("overdriven guitar", (29,), r"overdr"),
    _kind("distorted guitar", (30,), r"distort", r"bass"),
    _kind("guitar harmonics", (31,), r"harmonics"),
    _kind("acoustic bass", (32,), r"(acoustic|upright|jazz|double) ?bass", r"arco|bow"),
    _kind("electric bass", (33, 34), r"(finger\w*|pick\w*|electric|\be\.?) ?bass|bass guitar", r"slap|fretless"),
    _kind("fretless bass", (35,), r"fretless"),
    _kind("slap bass", (36, 37), r"(slap|pop)\w* ?bass"),
    _kind("synth bass", (38, 39), r"syn(th)?\.? ?bass"),
    _kind("violin", (40,), r"violin|fiddle", SOLO),
    _kind("viola", (41,), r"viola\b", SOLO + r"|gamba"),
    _kind("cello", (42,), r"cello", SOLO),
    _kind("contrabass", (43,), r"contrabass|double ?bass|(bow\w*|arco) ?bass", SOLO + r"|bassoon|clarinet|jazz|sarrus"),
    _kind("tremolo strings", (44,), r"trem\w*(?=.*string)|string.*trem\w*"),
    _kind("pizzicato strings", (45,), r"pizz\w*"),
    _kind("harp", (46,), r"\bharp\b", r"jew|celtic"),
    _kind("timpani", (47,), r"timpan|kettle"),
    _kind("strings", (48,), r"strings|string ens|string orch", r"brass|choir|guitar|60"),
    _kind("slow strings", (49,), r"slow strings|strings slow"),
    _kind("synth strings", (50, 51), r"syn(th)?\.? ?str"),
    _kind("choir", (52, 53), r"choir|\ba+h+s?\b|\bo+h+s?\b|voices", r"bell|solo"),
    _kind("synth voice", (54,), r"synth ?(vo|vz)|vocoder"),
    _kind("orchestra hit", (55,), r"orch\w* ?hit"),
    _kind("trumpet", (56,), r"trumpet", r"muted|harmon|section|trumpets"),
    _kind("trombone", (57,), r"trombone", r"muted|section|trombones|bright"),
    _kind("tuba", (58,), r"tuba"),
    _kind("muted trumpet", (59,), r"(muted?|harmon|hmn)\.?( mute)? (trump|tpt)\w*|trumpet mute\w*"),
    _kind("horn", (60,), r"(french|solo)? ?\bhorns?\b", r"english|basset|alp|car\b|flugel|flügel|muted"),
    _kind("brass section", (61,), r"brass", r"pop|wood"),
    _kind("synth brass", (62, 63), r"syn(th)?\.? ?brass"),
    _kind("soprano saxophone", (64,), r"sop\w* ?sax"),
    _kind("alto saxophone", (65,), r"alto ?sax"),
    _kind("tenor saxophone", (66,), r"ten\w* ?sax"),
    _kind("baritone saxophone", (67,), r"bari\w* ?sax"),
    _kind("oboe", (68,), r"oboe"),
    _kind("english horn", (69,), r"english ?horn|cor anglais"),
    _kind("bassoon", (70,), r"bassoon|fagott", r"contra"),
    _kind("clarinet", (71,), r"clarinet", r"bass|contra|alto"),
    _kind("piccolo", (72,), r"piccolo", r"trump"),
    _kind("flute", (73,), r"flute", r"pan|alto|bass|wood|wave|irish|shaku"),
    _kind("recorder", (74,), r"recorder"),
    _kind("pan flute", (75,), r"pan ?(flute|pipe)"),
    _kind("ocarina", (79,), r"ocarina"),
    _kind("sitar", (104,), r"sitar"),
    _kind("banjo", (105,), r"banjo"),
    _kind("shamisen", (106,), r"sh?amisen"),
    _kind("koto", (107,), r"koto", r"taisho"),
    _kind("kalimba", (108,), r"kalimba"),
    _kind("bagpipe", (109,), r"bag ?pipe"),
    _kind("fiddle", (110,), r"fiddle"),
    _kind("shanai", (111,), r"sh[ae]h?nai"),
    _kind("steel drums", (114,), r"steel ?drum"),
)  # fmt: skip
BY_PROGRAM = {program: kind for kind in TABLE for program in kind.programs}


class Kit(NamedTuple):
    """Drum kits that have the same drums on the same keys. programs: in Roland's GS; others: no name of theirs."""

    name: str
    programs: range
    others: re.Pattern[str] = re.compile(
        r"march|orch|sfx|effect|808|909|electr|click|metronome|ethnic|latin|conga|bongo|timp", re.IGNORECASE
    )


KITS = (
    Kit("drum kit", range(LAST_STANDARD_KIT)),  # standard, room, power
    Kit("jazz drum kit", range(32, 40)),
    Kit("brush drum kit", range(40, 48)),
)


def kind(program: int, *, drums: bool) -> str:
    """What a part of that General MIDI program plays, in words: "piano"."""
    found = _kit(program) if drums else _instrument(program)
    return found.name


def members(presets: Iterable[Preset], program: int, *, drums: bool) -> list[Preset]:
    """The presets of one font that may play a part of that General MIDI program."""
    there = [preset for preset in presets if preset.samples]
    if drums:
        kit = _kit(program)
        kits = [preset for preset in there if preset.bank == sf2.DRUM_BANK and preset.program in kit.programs]
        return [preset for preset in kits if not kit.others.search(preset.name)]
    instrument = _instrument(program)
    melodic = [preset for preset in there if preset.bank != sf2.DRUM_BANK]
    if len({preset.program for preset in melodic if preset.bank == 0}) < GENERAL_MIDI:
        return [preset for preset in melodic if _is_named(instrument, preset)]
    mine = [preset for preset in melodic if preset.program in instrument.programs]
    by_program = [preset for preset in mine if preset.bank == 0]
    named = [preset for preset in mine if 0 < preset.bank <= LAST_VARIATION and _is_named(instrument, preset)]
    return by_program + named


def _is_named(instrument: Kind, preset: Preset) -> bool:
    return instrument.fits(preset.name) and preset.attack_s <= SLOWEST_ATTACK_S


@functools.cache
def _instrument(program: int) -> Kind:
    # Programs outside the table, synthesizers and noises, are nothing but themselves.
    return BY_PROGRAM.get(program) or Kind(f"program {program}", (program,), NOTHING, NOTHING)


@functools.cache
def _kit(program: int) -> Kit:
    others = Kit(f"drum kit {program}", range(program, program + 1), NOTHING)
    return next((kit for kit in KITS if program in kit.programs), others)
