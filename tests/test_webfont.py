"""A soundfont out of WebAudioFont's files, from a tiny repository of tones that are known."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from playing import hz, performance

from clefkit.errors import InputError, MissingError
from clefkit.render import sf2, synth
from clefkit.render.timbre import Timbre
from clefkit.train import webfont

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="reads repositories with git")

RATE = 44_100
OTHER_RATE = 30_000  # none of MP3's
LOOP = (11_025, 22_050)


def zone(
    name: str,
    hertz: float = 440.0,
    low: int = 0,
    high: int = 127,
    *,
    pitch: int = 6900,
    coarse: int = 0,
    fine: int = 0,
    loop: tuple[int, int] = LOOP,
    rate: int = RATE,
) -> str:
    """Half a second of a tone as WebAudioFont writes it; `rate` is what it says, and OTHER_RATE is packed at 32 kHz."""
    packed = 32_000 if rate == OTHER_RATE else rate
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(packed // 2) / packed)
    stream = io.BytesIO()
    soundfile.write(stream, tone, packed, format="MP3", subtype="MPEG_LAYER_III")
    mp3 = base64.b64encode(stream.getvalue()).decode()
    lines = (
        "midi:21", f",originalPitch:{pitch}", f",keyRangeLow:{low}", f",keyRangeHigh:{high}", f",loopStart:{loop[0]}",
        f",loopEnd:{loop[1]}", f",coarseTune:{coarse}", f",fineTune:{fine}", f",sampleRate:{rate}", ",ahdsr:true",
        f",file:'{mp3}'", ",anchor:1.0e-5", f"//_tone.{name}",
    )  # fmt: skip
    return "{\n\t\t\t" + "\n\t\t\t".join(lines) + "\n\t\t}"


def script(*zones: str) -> str:
    inside = "\n\t\t,".join(zones)
    return f"console.log('load _tone_x');\nvar _tone_x={{\n\tzones:[\n\t\t{inside}\n\t]\n}};\n"


def repository(folder: Path, files: Mapping[str, str]) -> Path:
    """A clone with one commit. files: what is in it, by the number in its name"""
    (folder / "sound").mkdir(parents=True)
    for number, text in files.items():
        (folder / "sound" / f"{number}_GeneralUserGS_sf2_file.js").write_text(text, encoding="utf-8")
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "sounds"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return folder


def built(folder: Path, **files: str) -> Path:
    clone = repository(folder / "clone", {name.lstrip("_"): text for name, text in files.items()})
    webfont.build(clone, "HEAD", folder / "made" / "font.sf2")
    return folder / "made" / "font.sf2"


def sound(font: Path, bank: int, program: int, key: int, *, held_s: float = 3.0) -> NDArray[np.float32]:
    made = synth.render(performance([0], [held_s], [key]), [Timbre(font, bank, program)], RATE)
    assert len(made.notes) == 1
    return np.asarray(made.audio.samples[0], np.float32)


def level(samples: NDArray[np.float32], at_s: float) -> float:
    """dB, over 0.1 s; not below -120"""
    piece = samples[round(at_s * RATE) : round((at_s + 0.1) * RATE)].astype(np.float64)
    return float(10 * np.log10((piece**2).sum() / (0.1 * RATE) + 1e-12))


def test_presets_have_the_place_name_and_keys_of_their_files(tmp_path: Path) -> None:
    font = built(
        tmp_path,
        _0210=script(zone("Accordian_D2", low=20, high=60), zone("Accordian_F_2", low=61, high=90)),
        _0211=script(zone("Reed_A3_x", low=30, high=127)),
        _04812=script(zone("Some_Brass_C4")),
        _0420=script(zone("Cello_C2")),
    )
    found = sf2.presets(font)
    assert [preset.where for preset in found] == [(0, 21, "Accordian"), (1, 21, "Reed"), (12, 48, "Some Brass")]
    assert [(min(preset.keys), max(preset.keys)) for preset in found] == [(20, 90), (30, 127), (0, 127)]
    assert {(each.rate, each.loop_start, each.loop_end) for each in found[0].samples} == {(RATE, *LOOP)}


@pytest.mark.parametrize("rate", [RATE, OTHER_RATE])
def test_held_notes_are_in_tune_and_stay(tmp_path: Path, rate: int) -> None:
    loop = tuple(round(place * rate / RATE) for place in LOOP)
    font = built(tmp_path, _0210=script(zone("Reed_A4", loop=(loop[0], loop[1]), rate=rate)))
    samples = sound(font, 0, 21, 76)
    assert hz(samples[RATE // 10 : 5 * RATE // 2]) == pytest.approx(440 * 2 ** (7 / 12), rel=0.0005)
    assert np.ptp([level(samples, at) for at in np.arange(0.1, 2.8, 0.1)]) < 0.3
    # No click where the loop begins again: a sine has little above its own frequency.
    spectrum = np.abs(np.fft.rfft(samples[RATE // 10 : 2 * RATE] * np.hanning(2 * RATE - RATE // 10)))
    above = round(2000 * (2 * RATE - RATE // 10) / RATE)
    assert spectrum[above:].max() < 1e-3 * spectrum.max()
    assert level(samples, 3.3) < level(samples, 2.8) - 60
    (sample,) = sf2.presets(font)[0].samples
    assert (sample.rate, sample.loop_start, sample.loop_end) == (rate, *loop)


def test_plucked_notes_fade(tmp_path: Path) -> None:
    font = built(tmp_path, _0240=script(zone("Guitar_A4")))
    samples = sound(font, 0, 24, 69)
    assert level(samples, 0.1) == pytest.approx(level(samples, 0.02), abs=0.5)
    assert 15 < level(samples, 0.1) - level(samples, 2.5) < 35


def test_without_a_loop_a_note_ends_with_its_recording(tmp_path: Path) -> None:
    font = built(tmp_path, _0210=script(zone("Click_A4", loop=(-1, -2))))
    samples = sound(font, 0, 21, 69)
    assert level(samples, 0.2) > -40
    assert level(samples, 0.8) < -100


@pytest.mark.parametrize(("coarse", "fine"), [(0, 40), (2, -30), (-13, 0), (58, 0)])
def test_tuning_is_taken_off_the_pitch(tmp_path: Path, coarse: int, fine: int) -> None:
    font = built(tmp_path, _0210=script(zone("Reed_A4", coarse=coarse, fine=fine, pitch=6900 + 100 * coarse + fine)))
    assert hz(sound(font, 0, 21, 69)[RATE // 10 : RATE]) == pytest.approx(440, rel=0.0005)


def test_a_pitch_above_the_keyboard(tmp_path: Path) -> None:
    font = built(tmp_path, _0210=script(zone("Reed_A10", hertz=7040, pitch=11_700, coarse=-22, fine=-30)))
    expected = 7040 * 2 ** ((100 - 139.3) / 12)
    assert hz(sound(font, 0, 21, 100)[RATE // 10 : RATE]) == pytest.approx(expected, rel=0.0005)


def test_what_the_files_have_an_octave_low_is_put_right(tmp_path: Path) -> None:
    font = built(tmp_path, _0560=script(zone("Trumpet_A4", hertz=220)))
    assert hz(sound(font, 0, 56, 69)[RATE // 10 : RATE]) == pytest.approx(440, rel=0.0005)


def test_of_several_layers_the_first_sounds(tmp_path: Path) -> None:
    font = built(tmp_path, _0210=script(zone("Reed_A4", high=80), zone("Echo_A5", hertz=880, low=60)))
    assert hz(sound(font, 0, 21, 69)[RATE // 10 : RATE]) == pytest.approx(440, rel=0.0005)
    assert hz(sound(font, 0, 21, 81)[RATE // 10 : RATE]) == pytest.approx(1760, rel=0.0005)


def test_same_bytes_twice(tmp_path: Path) -> None:
    files = {"_0210": script(zone("Reed_A4")), "_0001": script(zone("Piano_A4", rate=OTHER_RATE, loop=(5000, 10_000)))}
    assert built(tmp_path / "one", **files).read_bytes() == built(tmp_path / "two", **files).read_bytes()


GOOD = script(zone("Reed_A4"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1"),
        ("<html>", "line 1"),
        (GOOD.replace("loopEnd", "loopend"), "line 4"),
        (GOOD.replace(",ahdsr:true", ",ahdsr:eval(1)"), "line 4"),
        (GOOD.replace("\n\t]\n};", "\n\t]"), "line 19"),
        (GOOD + "alert(1)", "goes on"),
        (GOOD.replace("keyRangeHigh:127", "keyRangeHigh:128"), "keys 0 to 128"),
        (GOOD.replace("sampleRate:44100", "sampleRate:0"), "rate of 0 Hz"),
        (GOOD.replace("='", "'"), "damaged"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=rf"0210_GeneralUserGS_sf2_file\.js.*{told}"):
        built(tmp_path, _0210=text)
    assert not (tmp_path / "made").exists()


def test_a_recording_that_is_none_is_named(tmp_path: Path) -> None:
    start = GOOD.index("'", GOOD.index(",file:")) + 1
    text = GOOD[:start] + base64.b64encode(bytes(3000)).decode() + GOOD[GOOD.index("'", start) :]
    with pytest.raises(InputError, match=r"0210_GeneralUserGS_sf2_file\.js.*Reed_A4 can't be decoded"):
        built(tmp_path, _0210=text)


def test_without_the_files_it_says_how_to_get_them(tmp_path: Path) -> None:
    clone = repository(tmp_path / "clone", {"x": "nothing"})
    with pytest.raises(MissingError, match="git clone"):
        webfont.build(clone, "HEAD", tmp_path / "font.sf2")
    with pytest.raises(MissingError, match="git clone"):
        webfont.build(tmp_path / "nowhere", "HEAD", tmp_path / "font.sf2")
