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
# Patterns are compiled when a name is first compared: most players ask for few of them, or none.
OTHERWISE = (
    r"expr|detun|coupl|octave|\b[58]ths?\b|slow|\bpads?\b|synth|\bsyn\b|stack|layer|chord|loop|split|echo|delay"
    r"|feedback|effect|\bfx\b|noise|release|harmonics|trem|trill|gliss|fall|roll|stac|spic|pizz|mute|&|\+| and "
)
NOTHING = r"(?!)"


class Kind(NamedTuple):
    """An instrument.

    programs: General MIDI's; words: what a name must match; others: what it must not match, beside what no kind may
        have in the rest of its name
    """

    name: str
    programs: tuple[int, ...]
    words: str
    others: str = NOTHING

    def fits(self, name: str) -> bool:
        """Whether a preset's name says that it is this instrument."""
        if not _finds(self.words, name) or _finds(self.others, name):
            return False
        return not _finds(OTHERWISE, re.sub(self.words, " ", name, flags=re.IGNORECASE))


def _finds(pattern: str, name: str) -> bool:
    return re.search(pattern, name, re.IGNORECASE) is not None


ELECTRIC = r"electr|\be\.? ?p(iano)?s?\b|rhodes|wurl|\bfm\b|dx-?7|tine|clav"
GUITAR = r"g(ui|tr|t\b)"
SOLO = r"violins|violas|celli\b|section|ensemble|orch|strings"
TABLE = (
    Kind("piano", (0, 1), r"piano|grand|steinway|b(ö|o|oe)sendorfer|bechstein",
          ELECTRIC + r"|honky|toy|prepared|tack|rag|digital|cp-?\d\d|harp|org|choir|string|bass|guit|dance|house"),
    Kind("electric grand", (2,), r"electric grand|e-?grand|cp-?[78]0"),
    Kind("honky-tonk piano", (3,), r"honky|tack piano|ragtime"),
    Kind("electric piano", (4, 5), r"electric piano|\be\.? ?p(iano)?s?\b|rhodes|wurl|tine|fm piano|dx-?7",
          r"grand|bass"),
    Kind("harpsichord", (6,), r"harpsi\w*|cembalo|clavecin|spinet|virginal"),
    Kind("clavinet", (7,), r"clavinet|\bclavi\b"),
    Kind("celesta", (8,), r"celest"),
    Kind("glockenspiel", (9,), r"glock"),
    Kind("music box", (10,), r"music ?box"),
    Kind("vibraphone", (11,), r"vibra?phone|\bvibes?\b"),
    Kind("marimba", (12,), r"marimba"),
    Kind("xylophone", (13,), r"xylo"),
    Kind("tubular bells", (14,), r"tubular|\bchimes\b", r"wind|church"),
    Kind("dulcimer", (15,), r"dulcimer|santur|santoor|cimbalom"),
    Kind("electric organ", (16, 17, 18), r"drawbar|hammond|\bb-?3\b|(rock|perc\w*|jazz|tonewheel) organ"),
    Kind("church organ", (19,), r"(church|pipe|cathedral) ?org|principal"),
    Kind("reed organ", (20,), r"reed org|harmonium"),
    Kind("accordion", (21,), r"accord[ie]|akkorde"),
    Kind("harmonica", (22,), r"harmonica"),
    Kind("bandoneon", (23,), r"bandon|tango"),
    Kind("nylon guitar", (24,), r"nylon|(classical|spanish|flamenco) ?" + GUITAR),
    Kind("steel guitar", (25,), r"steel|(acoustic|folk) ?" + GUITAR, r"12|twelve|pedal|lap|drum|nylon|mandolin"),
    Kind("jazz guitar", (26,), r"hollow ?body|jazz ?" + GUITAR, r"bass"),
    Kind("clean guitar", (27,), r"\bstrat|(clean|electric) ?" + GUITAR, r"bass|dist|drive|jazz"),
    Kind("muted guitar", (28,), r"(palm[- ]?|guitar[- ]|\b)mute\w*", r"trump|tromb|bass|horn|funk"),
    Kind("overdriven guitar", (29,), r"overdr"),
    Kind("distorted guitar", (30,), r"distort", r"bass"),
    Kind("guitar harmonics", (31,), r"harmonics"),
    Kind("acoustic bass", (32,), r"(acoustic|upright|jazz|double) ?bass", r"arco|bow"),
    Kind("electric bass", (33, 34), r"(finger\w*|pick\w*|electric|\be\.?) ?bass|bass guitar", r"slap|fretless"),
    Kind("fretless bass", (35,), r"fretless"),
    Kind("slap bass", (36, 37), r"(slap|pop)\w* ?bass"),
    Kind("synth bass", (38, 39), r"syn(th)?\.? ?bass"),
    Kind("violin", (40,), r"violin|fiddle", SOLO),
    Kind("viola", (41,), r"viola\b", SOLO + r"|gamba"),
    Kind("cello", (42,), r"cello", SOLO),
    Kind("contrabass", (43,), r"contrabass|double ?bass|(bow\w*|arco) ?bass", SOLO + r"|bassoon|clarinet|jazz|sarrus"),
    Kind("tremolo strings", (44,), r"trem\w*(?=.*string)|string.*trem\w*"),
    Kind("pizzicato strings", (45,), r"pizz\w*"),
    Kind("harp", (46,), r"\bharp\b", r"jew|celtic"),
    Kind("timpani", (47,), r"timpan|kettle"),
    Kind("strings", (48,), r"strings|string ens|string orch", r"brass|choir|guitar|60"),
    Kind("slow strings", (49,), r"slow strings|strings slow"),
    Kind("synth strings", (50, 51), r"syn(th)?\.? ?str"),
    Kind("choir", (52, 53), r"choir|\ba+h+s?\b|\bo+h+s?\b|voices", r"bell|solo"),
    Kind("synth voice", (54,), r"synth ?(vo|vz)|vocoder"),
    Kind("orchestra hit", (55,), r"orch\w* ?hit"),
    Kind("trumpet", (56,), r"trumpet", r"muted|harmon|section|trumpets"),
    Kind("trombone", (57,), r"trombone", r"muted|section|trombones|bright"),
    Kind("tuba", (58,), r"tuba"),
    Kind("muted trumpet", (59,), r"(muted?|harmon|hmn)\.?( mute)? (trump|tpt)\w*|trumpet mute\w*"),
    Kind("horn", (60,), r"(french|solo)? ?\bhorns?\b", r"english|basset|alp|car\b|flugel|flügel|muted"),
    Kind("brass section", (61,), r"brass", r"pop|wood"),
    Kind("synth brass", (62, 63), r"syn(th)?\.? ?brass"),
    Kind("soprano saxophone", (64,), r"sop\w* ?sax"),
    Kind("alto saxophone", (65,), r"alto ?sax"),
    Kind("tenor saxophone", (66,), r"ten\w* ?sax"),
    Kind("baritone saxophone", (67,), r"bari\w* ?sax"),
    Kind("oboe", (68,), r"oboe"),
    Kind("english horn", (69,), r"english ?horn|cor anglais"),
    Kind("bassoon", (70,), r"bassoon|fagott", r"contra"),
    Kind("clarinet", (71,), r"clarinet", r"bass|contra|alto"),
    Kind("piccolo", (72,), r"piccolo", r"trump"),
    Kind("flute", (73,), r"flute", r"pan|alto|bass|wood|wave|irish|shaku"),
    Kind("recorder", (74,), r"recorder"),
    Kind("pan flute", (75,), r"pan ?(flute|pipe)"),
    Kind("ocarina", (79,), r"ocarina"),
    Kind("sitar", (104,), r"sitar"),
    Kind("banjo", (105,), r"banjo"),
    Kind("shamisen", (106,), r"sh?amisen"),
    Kind("koto", (107,), r"koto", r"taisho"),
    Kind("kalimba", (108,), r"kalimba"),
    Kind("bagpipe", (109,), r"bag ?pipe"),
    Kind("fiddle", (110,), r"fiddle"),
    Kind("shanai", (111,), r"sh[ae]h?nai"),
    Kind("steel drums", (114,), r"steel ?drum"),
)  # fmt: skip
BY_PROGRAM = {program: kind for kind in TABLE for program in kind.programs}


class Kit(NamedTuple):
    """Drum kits that have the same drums on the same keys. programs: in Roland's GS; others: no name of theirs."""

    name: str
    programs: range
    others: str = r"march|orch|sfx|effect|808|909|electr|click|metronome|ethnic|latin|conga|bongo|timp"


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
    there = [preset for preset in presets if preset.sounds]
    if drums:
        kit = _kit(program)
        kits = [preset for preset in there if preset.bank == sf2.DRUM_BANK and preset.program in kit.programs]
        return [preset for preset in kits if not _finds(kit.others, preset.name)]
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
    return BY_PROGRAM.get(program) or Kind(f"program {program}", (program,), NOTHING)


@functools.cache
def _kit(program: int) -> Kit:
    others = Kit(f"drum kit {program}", range(program, program + 1), NOTHING)
    return next((kit for kit in KITS if program in kit.programs), others)
