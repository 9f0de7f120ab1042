"""A shoe box and what a click does in it: where it is mirrored, and how its energy dies.

pyroomacoustics (Scheibler, Bezzam and Dokmanic, Pyroomacoustics, 2018) finds both: mirrored sources (Allen and Berkley,
Image method for efficiently simulating small-room acoustics, 1979), and rays that scatter at the walls, where from each
wall that a ray meets the microphone gets a share by Lambert's law (diffuse rain: Heinz, 1993).

A ray's way is the same whatever the walls absorb. So one tracing says what many absorptions do: pyroomacoustics carries
an energy for each octave band along, here for each absorption of a row; the others lie between. An absorption is given
as a loss, in nepers of energy at each reflection, -ln(1 - absorption), for losses are what adds up along a way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.augment import air
from clefkit.errors import InputError, MissingError

if TYPE_CHECKING:
    from numpy.random import Generator

Floats = NDArray[np.float64]

# What a mirror loses to scattering: at each wall, and on each mean free path to what stands in a room.
SCATTERING = 0.3
SCATTERING_LOSS = -math.log(1 - SCATTERING)
FITTINGS_LOSS = 0.2
MOST_REFLECTIONS = 12
DISPLACED_M = 0.08
LOSSES = np.geomspace(0.004, 3.6, 16)
BIN_S = 0.002
BOUNCES = 2e6
RAYS = (2000, 20_000)
RECEIVER_M = 0.3
FAINTEST = 1e-30
FROM_WALLS_M, FROM_WALLS = 1.0, 0.25
LOWEST_M, LOWEST = 1.2, 0.3
HIGHEST_M, HIGHEST = 2.0, 0.6
STEEPEST = 0.2
TURNED = math.radians(12)
WIDEST = 0.4


class Box(NamedTuple):
    """A room, and how far its source is from the microphones and they from each other; 0 there is one microphone."""

    length_m: float
    width_m: float
    height_m: float
    distance_m: float
    spacing_m: float

    @property
    def size_m(self) -> Floats:
        return np.array(self[:3])

    @property
    def name(self) -> str:
        return f"a room of {self.length_m:g} x {self.width_m:g} x {self.height_m:g} m"

    @property
    def free_path_m(self) -> float:
        """From wall to wall, in the mean (Kosten, The mean free path in room acoustics, 1960)."""
        return 2 / float((1 / self.size_m).sum())


class Places(NamedTuple):
    """source: (3,), microphones: (1 or 2, 3); metres"""

    source: Floats
    microphones: Floats


class Mirrored(NamedTuple):
    """distances_m: (microphones, sources), the first source the real one; reflections: (sources,), how many"""

    distances_m: Floats
    reflections: Floats


class Energies(NamedTuple):
    """What arrives in each bin of time after the click, to what the source has at one metre.

    logs: (losses, bins); free_path_m: of the room
    """

    logs: Floats
    free_path_m: float

    @property
    def times_s(self) -> Floats:
        """The middle of each bin."""
        return np.asarray((np.arange(self.logs.shape[1]) + 0.5) * BIN_S)

    def all(self, loss: float) -> Floats:
        """With walls of this loss. returns: (bins,)"""
        below = min(int(np.searchsorted(LOSSES, loss, side="right")) - 1, len(LOSSES) - 2)
        weight = (loss - LOSSES[below]) / (LOSSES[below + 1] - LOSSES[below])
        return np.asarray(np.exp((1 - weight) * self.logs[below] + weight * self.logs[below + 1]))

    def scattered(self, loss: float) -> Floats:
        """Of that, what was scattered at least once, and so is not in the mirrors. returns: (bins,)"""
        fittings = np.exp(-FITTINGS_LOSS * air.SPEED_M_S * self.times_s / self.free_path_m)
        return np.asarray(self.all(loss) - self.all(loss + SCATTERING_LOSS) * fittings)


def places(box: Box, rng: Generator) -> Places:
    """Somewhere in the room, at the distance asked for, not too near to the walls; the microphones face the source.

    raises: InputError when they don't fit in
    """
    floor = box.size_m[:2]
    if box.distance_m > farthest_m(floor):
        raise InputError(f"distance_m {box.distance_m:g} is too far for {box.name}: {farthest_m(floor):.2f} at most")
    if box.spacing_m > WIDEST * floor.min():
        raise InputError(f"spacing_m {box.spacing_m:g} is too wide for {box.name}: {WIDEST * floor.min():.2f} at most")
    free = _free(floor)
    low, high = min(LOWEST_M, LOWEST * box.height_m), min(HIGHEST_M, HIGHEST * box.height_m)
    height = rng.uniform(low, high)
    rise = min(max(rng.uniform(-STEEPEST, STEEPEST) * box.distance_m, low - height), high - height)
    level = math.sqrt(box.distance_m**2 - rise**2)
    angle = rng.uniform(math.acos(min(1.0, free[0] / level)), math.asin(min(1.0, free[1] / level)))
    way = level * np.array([math.cos(angle), math.sin(angle)])
    source = (floor - free) / 2 + rng.uniform(0, 1, 2) * np.maximum(free - way, 0.0)
    middle = source + way
    across = angle + math.pi / 2 + rng.uniform(-TURNED, TURNED)
    half = box.spacing_m / 2 * np.array([math.cos(across), math.sin(across)])
    ends = np.array([source, middle - half, middle + half] if box.spacing_m else [source, middle])
    flipped = rng.random(2) < 0.5
    ends[:, flipped] = floor[flipped] - ends[:, flipped]
    heights = [height, *[height + rise] * (len(ends) - 1)]
    spots = np.column_stack([ends, heights])
    return Places(spots[0], spots[1:])


def farthest_m(floor_m: Floats) -> float:
    """How far from each other two can be in a room of this length and width."""
    return math.hypot(*_free(floor_m))


def _free(floor_m: Floats) -> Floats:
    """What is left between strips along the walls."""
    return np.asarray(floor_m - 2 * np.minimum(FROM_WALLS_M, FROM_WALLS * floor_m))


def mirrored(box: Box, where: Places, rng: Generator) -> Mirrored:
    """Sources in the mirrors of the walls, and in the mirrors in these.

    Those of two and more reflections are displaced by up to 8 cm in each direction, or their regular grid would be
    heard as a sweep (De Sena et al., On the modeling of rectangular geometries in room acoustic simulations, 2015).
    """
    room = _library().ShoeBox(box.size_m, max_order=MOST_REFLECTIONS)
    room.add_source(where.source)
    room.add_microphone(where.microphones.mean(axis=0))
    room.image_source_model()
    order = np.argsort(room.sources[0].orders, kind="stable")
    sources = room.sources[0].images.T[order].astype(np.float64)
    reflections = room.sources[0].orders[order].astype(np.float64)
    sources[0] = where.source
    sources[reflections > 1] += rng.uniform(-DISPLACED_M, DISPLACED_M, (np.count_nonzero(reflections > 1), 3))
    return Mirrored(np.linalg.norm(where.microphones[:, None] - sources, axis=-1), reflections)


def energies(box: Box, where: Places, duration_s: float, rng: Generator) -> Energies:
    """Energy of the reflections over time and over the loss at the walls, between the microphones.

    pyroomacoustics has one generator for all its users. It is seeded here, and once more afterwards, by chance, so that
    nobody else's numbers follow from ours; who seeded it for himself must do so again.
    """
    library = _library()
    bands_hz = [125.0 * 2**index for index in range(len(LOSSES))]
    absorption = {"coeffs": (1 - np.exp(-LOSSES)).tolist(), "center_freqs": bands_hz}
    walls = library.Material(energy_absorption=absorption, scattering=SCATTERING)
    # With so many reflections left to mirrors, rays that hit the microphone are never counted, only their rain.
    room = library.ShoeBox(box.size_m, fs=2 * bands_hz[-1], materials=walls, max_order=10**6)
    rays = min(max(int(BOUNCES * box.free_path_m / (duration_s * air.SPEED_M_S)), RAYS[0]), RAYS[1])
    room.set_ray_tracing(rays, RECEIVER_M, energy_thres=FAINTEST, time_thres=duration_s, hist_bin_size=BIN_S)
    room.add_source(where.source)
    room.add_microphone(where.microphones.mean(axis=0))
    seed = int(rng.integers(2**32))
    library.random.seed(numpy=seed, libroom=seed)
    try:
        room.ray_tracing()
    finally:
        library.random.seed()
    # A wall sends on the scattered part of what meets it: of all that meets it, as much as if all were scattered.
    rain = room.rt_histograms[0][0][0][:, : math.ceil(duration_s / BIN_S)] / SCATTERING
    return Energies(np.log(np.maximum(rain, FAINTEST)), box.free_path_m)


def _library() -> Any:
    try:
        import pyroomacoustics
    except ImportError as error:
        raise MissingError("simulated rooms need pyroomacoustics: `pip install 'clefkit[rooms]'`") from error
    return pyroomacoustics
