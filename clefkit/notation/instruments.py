"""From the name of a part to a General MIDI program, in English, Italian, German and French.

Names are looked for in the order of the table, so "bass clarinet" stands before "clarinet" and before "bass".
"""

from __future__ import annotations

import re

from clefkit.notation.model import Part

PIANO = 0
VOICE = 52
DRUM_CHANNEL = 10

NAMES: tuple[tuple[str, int], ...] = (
    (r"electric piano|e-piano|rhodes", 4),
    (r"harpsichord|clavicembalo|cembalo|clavecin", 6),
    (r"celest[ae]|célesta", 8),
    (r"glockenspiel|jeu de timbres", 9),
    (r"vibraphon", 11),
    (r"marimba", 12),
    (r"xyloph", 13),
    (r"tubular|chimes|röhrenglocken|campane|cloches", 14),
    (r"timpan|pauken|timbales|kettledrum", 47),
    (r"accord[ei]on|akkordeon|fisarmonica", 21),
    (r"harmonica|mundharmonika", 22),
    (r"harmonium", 20),
    (r"mouth organ|organ\b|organo|orgel|orgue", 19),
    (r"\bharp\b|harps|arpa|harfe|harpe", 46),
    (r"banjo", 105),
    (r"mandolin", 25),
    (r"bass guitar|electric bass|e-bass|bassgitarre|basse électrique|basso elettrico", 33),
    (r"electric guitar|e-gitarre|guitare électrique", 27),
    (r"guitar|gitarre|chitarra|\blute|\blaute|liuto|luth\b|theorb|tiorba", 24),
    (r"viol[ae] (da|de) gamb[ae]|gambe|baryton\b|arpeggione", 42),
    (r"violoncell|cello|celli|vlc|\bvc\b", 42),
    (r"double ?bass|contrabass\b|contrabbass[oi]|kontraba(ss|ß)|contrebasse|string bass|violone", 43),
    (r"violin|violon|violine|geige|fiddle|\bvln?\b", 40),
    (r"viola|viole\b|bratsche|\balto \(viola\)|\bvla\b", 41),
    (r"pizzicat", 45),
    (r"strings|streicher|archi\b|cordes", 48),
    (r"piccolo flute|piccolo\b|ottavino|petite flûte|kleine flöte", 72),
    (r"recorder|blockflöte|flauto dolce|flûte à bec", 74),
    (r"flute|flauto|flauti|flöte|flûte|traverso", 73),
    (r"english horn|cor anglais|corno inglese|englischhorn|oboe da caccia", 69),
    (r"obo[ei]|hautbois|hoboe", 68),
    (r"bass clarinet|bassklarinette|clarinetto basso|clarinette basse", 71),
    (r"clarinet|clarinett[oi]|klarinette|clarinette|basset ?horn|bassetthorn|corno di bassetto", 71),
    (r"bassoon|fagott|basson\b", 70),
    (r"soprano sax|sopransax", 64),
    (r"baritone sax|barit\w* sax|baritonsax", 67),
    (r"tenor sax|tenorsax", 66),
    (r"sax", 65),
    (r"trombone|tromboni|posaune|sackbut", 57),
    (r"trumpet|tromb[ae]\b|trompete|trompette|cornet|kornett|clarino|flugelhorn|flügelhorn", 56),
    (r"tuba|ophicl|bombardon|euphonium|serpent", 58),
    (r"horn\b|hörner|corn[oi]\b|\bcor\b|\bcors\b", 60),
    (r"brass|blechbläser|ottoni|cuivres", 61),
    (r"voice|vocal|voce|canto|gesang|singstimme|stimme|voix|chant|choir|chorus|chor\b|coro|chœur|choeur", VOICE),
    (r"sopran|mezzo|contralto|alto\b|\balt\b|tenor|bariton|\bbass\b|\bbasse?\b|basso\b|discant|cantus|superius", VOICE),
    (r"piano|klavier|pianoforte|clavier|flügel", PIANO),
)
DRUMS: tuple[tuple[str, int], ...] = (
    (r"bass drum|grosse trommel|große trommel|gran cassa|grosse caisse", 36),
    (r"snare|side drum|kleine trommel|rührtrommel|tamburo militare|cassa rullante|caisse claire|tambour militaire", 38),
    (r"tam-?tam|gong", 52),
    (r"cymbal|becken|piatti", 49),
    (r"tambourin|tamburin|tamburello|tambour de basque|schellentrommel", 54),
    (r"triang", 81),
    (r"wood ?block|holzblock", 76),
)
# The sounds that MusicXML names ("standard sounds" of version 4.0), by how they begin; the longest beginning counts.
SOUNDS = {
    "voice": VOICE, "strings": 48, "strings.violin": 40, "strings.viola": 41, "strings.cello": 42, "strings.viol": 42,
    "strings.contrabass": 43, "strings.violone": 43, "pluck.harp": 46, "pluck.guitar": 24, "pluck.lute": 24,
    "pluck.guitar.steel": 25, "pluck.guitar.electric": 27, "pluck.bass": 33, "pluck.bass.acoustic": 32,
    "pluck.banjo": 105, "pluck.mandolin": 25, "keyboard.piano": PIANO, "keyboard.piano.electric": 4,
    "keyboard.harpsichord": 6, "keyboard.clavichord": 7, "keyboard.celesta": 8, "keyboard.organ": 19,
    "keyboard.harmonium": 20, "keyboard.accordion": 21, "wind.flutes": 73, "wind.flutes.flute.piccolo": 72,
    "wind.flutes.recorder": 74, "wind.reed.oboe": 68, "wind.reed.english-horn": 69, "wind.reed.bassoon": 70,
    "wind.reed.contrabassoon": 70, "wind.reed.clarinet": 71, "wind.reed.basset-horn": 71, "wind.reed.saxophone": 65,
    "wind.reed.saxophone.soprano": 64, "wind.reed.saxophone.tenor": 66, "wind.reed.saxophone.baritone": 67,
    "brass": 61, "brass.trumpet": 56, "brass.cornet": 56, "brass.flugelhorn": 56, "brass.trombone": 57,
    "brass.sackbutt": 57, "brass.tuba": 58, "brass.ophicleide": 58, "brass.french-horn": 60, "brass.natural-horn": 60,
    "drum.timpani": 47, "pitched-percussion.glockenspiel": 9, "pitched-percussion.celesta": 8,
    "pitched-percussion.vibraphone": 11, "pitched-percussion.marimba": 12, "pitched-percussion.xylophone": 13,
    "pitched-percussion.tubular-bells": 14,
}  # fmt: skip
FAMILY = 8  # General MIDI programs of a kind
BOWED = {*range(40, 46), *range(48, 52)}
SUNG = {52, 53, 54, 85, 91}  # choirs, and the synthetic voices that scores use for singers
SINGERS = re.compile(r"voice|vocal|canto\b|gesang|singstimme|\bchant\b|choir|chorus|ch(œ|oe)ur", re.IGNORECASE)
DRUM_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), note) for pattern, note in DRUMS)
PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), program) for pattern, program in NAMES)


def guess(name: str) -> int | None:
    """General MIDI program, 0 to 127, for the name of a part, or None when no instrument is known in it."""
    for pattern, program in PATTERNS:
        if pattern.search(name):
            return program
    return None


def sound(name: str) -> int | None:
    """General MIDI program for a sound of MusicXML ("strings.violin"), or None when we know none."""
    pieces = name.strip().lower().split(".")
    for count in range(len(pieces), 0, -1):
        found = SOUNDS.get(".".join(pieces[:count]))
        if found is not None:
            return found
    return None


def agreed(written: int | None, told: int | None) -> int | None:
    """One program from the one a file writes and the one its name of the sound tells.

    The written one is finer, but often a leftover: it counts when it is an instrument of the same kind.
    """
    if written is None or told is None:
        return told if written is None else written
    for kind in (BOWED, SUNG):
        if told in kind:
            return written if written in kind else told
    return written if written // FAMILY == told // FAMILY and written not in SUNG else told


def program(part: Part) -> int:
    """What a part is played with: the program written, else the one its name tells, else a piano.

    Many programs write a piano for everybody, and MuseScore an oboe for singers; so a written piano gives way to a name
    that tells of something else, and anything to a name that only singers have.
    """
    if part.program:
        return VOICE if part.program not in SUNG and SINGERS.search(part.name) and not part.staves > 1 else part.program
    return guess(part.name) or guess(part.abbreviation) or PIANO


def drum(name: str) -> int | None:
    """General MIDI drum note for the name of a percussion part, or None when no drum is known in it."""
    for pattern, note in DRUM_PATTERNS:
        if pattern.search(name):
            return note
    return None


def is_drums(part: Part) -> bool:
    """Whether a part plays the drum map: by notes without pitch, or by channel if its name fits.

    Some programs number channels by part, so that the tenth part gets the drum channel, whatever it is.
    """
    return part.unpitched or (part.channel == DRUM_CHANNEL and guess(part.name) is None)
