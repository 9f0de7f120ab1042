"""The names that `tag` knows: instruments, and the families they belong to.

The first 20 are those of OpenMIC-2018 (Humphrey, Durand, McFee 2018), unchanged, which MIREX uses, too; four more are
frequent in orchestras. What each means:

bass: double bass, bowed or plucked, and bass guitar. cymbals: those of a drum kit, too. drums: a drum kit with its
cymbals, drum machines, hand drums. flute: with piccolo, alto and bass flute. guitar: acoustic and electric. piano:
with electric pianos. synthesizer: sounds that imitate no instrument. voice: singing, and speaking. double_reed: oboe,
English horn, bassoon. horn_tuba: French horn, tuba, euphonium. strings_ensemble: several bowed strings in unison.
Others, such as viola, recorder, harpsichord or sitar, have no name here: only their family is heard.
"""

from __future__ import annotations

LEAVES = (
    "accordion",
    "banjo",
    "bass",
    "cello",
    "clarinet",
    "cymbals",
    "drums",
    "flute",
    "guitar",
    "mallet_percussion",
    "mandolin",
    "organ",
    "piano",
    "saxophone",
    "synthesizer",
    "trombone",
    "trumpet",
    "ukulele",
    "violin",
    "voice",
    "double_reed",
    "horn_tuba",
    "harp",
    "strings_ensemble",
)

FAMILIES: dict[str, tuple[str, ...]] = {
    "keyboard": ("piano", "organ", "accordion"),
    "plucked": ("guitar", "banjo", "bass", "mandolin", "ukulele", "harp"),
    "bowed": ("violin", "cello", "strings_ensemble"),
    "woodwind": ("flute", "clarinet", "saxophone", "double_reed"),
    "brass": ("trumpet", "trombone", "horn_tuba"),
    "percussion": ("drums", "cymbals", "mallet_percussion"),
    "voice": ("voice",),
    "electronic": ("synthesizer",),
}
FAMILY_OF = {leaf: family for family, leaves in FAMILIES.items() for leaf in leaves}

# Descriptors of timbre, and the slice of an instrument's space that the network reads each from.
DESCRIBED = {
    "brightness": "brightness",
    "hardness": "attack",
    "roughness": "roughness",
    "warmth": "brightness",
    "depth": "brightness",
    "sharpness": "brightness",
    "boominess": "brightness",
    "noisiness": "rest",
    "punchiness": "attack",
    "log_attack_time": "attack",
    "spectral_centroid": "brightness",
    "spectral_flux": "rest",
    "inharmonicity": "roughness",
}
