"""What instruments are called, in data sets and by people."""

from __future__ import annotations

from collections import Counter

import pytest

from clefkit.tag.vocabulary import FAMILIES, LEAVES
from clefkit.train.layouts import names

# What MedleyDB's taxonomy and metadata call instruments > the leaf, or - and the family.
MEDLEYDB = """
male singer, female singer, male speaker, female speaker, male rapper, female rapper, beatboxing, vocalists, choir,
male screamer, female screamer > voice; piano, tack piano, electric piano > piano; pipe organ, harmonium, electronic
organ > organ; accordion, concertina, bandoneon > accordion; acoustic guitar, slide guitar, clean electric guitar,
distorted electric guitar, lap steel guitar > guitar; banjo > banjo; double bass, electric bass > bass; mandolin >
mandolin; ukulele > ukulele; harp > harp; violin > violin; cello > cello; violin section, viola section, cello section,
string section > strings_ensemble; flute, flute section, piccolo > flute; bass clarinet, clarinet, clarinet section >
clarinet; alto saxophone, baritone saxophone, tenor saxophone, soprano saxophone > saxophone; oboe, english horn,
bassoon > double_reed; trumpet, cornet, trumpet section > trumpet; trombone, trombone section > trombone; french horn,
euphonium, tuba, french horn section > horn_tuba; high hat, cymbal > cymbals; xylophone, vibraphone, marimba,
glockenspiel > mallet_percussion; toms, snare drum, kick drum, bass drum, bongo, conga, darbuka, doumbek, tabla, gu,
drum set, drum machine > drums; synthesizer > synthesizer; viola, erhu, dilruba > -bowed; guzheng, liuqin, oud,
zhongruan, sitar, dulcimer, yangqin > -plucked; harpsichord > -keyboard; dizi, bamboo flute, panpipes, recorder,
bagpipe, harmonica, melodica, whistle, woodwind section > -woodwind; brass section, horn section > -brass; triangle,
sleigh bells, cowbell, cabasa, gong, guiro, chimes, castanet, claps, rattle, shaker, maracas, snaps, timpani,
tambourine, auxiliary percussion > -percussion; theremin > -electronic; crowd, fx/processed sound, scratches, sampler,
Main System, Unlabeled > -
"""


@pytest.mark.parametrize("kind", ["names", "programs", "patches"])
def test_every_name_is_told_once_and_of_something_that_there_is(kind: str) -> None:
    table = names._table()[kind]
    told = Counter(each for part in table.values() for all_of_it in part.values() for each in all_of_it)
    assert not [each for each, times in told.items() if times > 1]
    assert set(table["leaf"]) <= set(LEAVES)
    assert set(table["family"]) <= {*FAMILIES, "unclear"}
    if kind == "programs":
        assert set(told) == set(range(129))
    if kind == "names":
        assert not [name for name in told if names.plain(name) != name]
        assert {names.named(leaf) for leaf in LEAVES} >= {names.named(leaf) for leaf in table["leaf"]}


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaves_and_so_openmics_names_mean_themselves(leaf: str) -> None:
    known = names.named(leaf)
    assert known is not None
    assert known.leaf == leaf


def test_every_name_of_medleydb_is_known() -> None:
    for group in MEDLEYDB.split(";"):
        said, _, meant = group.partition(">")
        for name in said.split(","):
            known = names.named(name)
            assert known is not None, name
            assert known.leaf == meant.strip() or f"-{known.family or ''}" == meant.strip(), name


@pytest.mark.parametrize(
    ("said", "leaf", "family"),
    [
        ("Violins", "violin", "bowed"),
        ("VIOLA", None, "bowed"),
        ("Electric-Piano", "piano", "keyboard"),
        ("mallet_percussion", "mallet_percussion", "percussion"),
        ("hi-hat", "cymbals", "percussion"),
        ("vocals", "voice", "voice"),
        ("other", None, None),
    ],
)
def test_names_are_known_however_they_are_written(said: str, leaf: str | None, family: str | None) -> None:
    assert names.named(said) == (leaf, family)


def test_a_name_that_nobody_told_of_is_not_guessed() -> None:
    assert names.named("kazoo") is None
    assert names.named("") is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (["male singer", "vocalists"], ("voice", "voice")),
        (["violin", "viola"], (None, "bowed")),
        (["violin", "piano"], (None, None)),
        (["violin", "kazoo"], (None, None)),
    ],
)
def test_what_names_have_in_common(said: list[str], meant: tuple[str | None, str | None]) -> None:
    assert names.together(said) == meant


@pytest.mark.parametrize(
    ("patch", "program", "kind", "meant"),
    [
        ("scarbee_clavinet_full", 4, "Piano", (None, "keyboard")),
        ("not_told_of", 4, "Piano", ("piano", "keyboard")),
        ("", 110, "Ethnic", ("violin", "bowed")),
        ("", 53, "Strings (continued)", (None, "voice")),
        ("", 90, "Synth Pad", ("synthesizer", "electronic")),
        ("", 45, "Strings", ("strings_ensemble", "bowed")),
        ("", 999, "Guitar", ("guitar", "plucked")),
        ("", None, "Something", (None, None)),
    ],
)
def test_slakhs_patch_counts_before_its_program_and_that_before_its_class(
    patch: str, program: int | None, kind: str, meant: tuple[str | None, str | None]
) -> None:
    assert names.played(patch, program, kind) == meant
