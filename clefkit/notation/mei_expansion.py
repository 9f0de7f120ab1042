"""The order of playing that MEI lists: <expansion plist="#A #A1 #A #A2"/> in the section that it expands.

After "MEI Guidelines 5" (2023), 3.2.2. A list names sections, endings and other lists; a section in it may have a list
of its own. Of several in one section the first without @type counts, else the first (verovio takes them by name). What
stands in no list is played as its repeat signs say; inside a list repeat signs say nothing.
"""

from __future__ import annotations

from typing import Any

from clefkit.errors import InputError
from clefkit.notation.mei_layer import ID
from clefkit.notation.model import Measure
from clefkit.notation.unfold import MOST_MEASURES, walk

MOST_NESTED = 64


class Expansions:
    """Collects the sections of a score and their lists."""

    def __init__(self) -> None:
        self.places: dict[str, range] = {}
        self.named: dict[str, list[str]] = {}  # what each list names
        self.chosen: list[tuple[range, str]] = []  # the measures of a section, and the list that it follows

    def add(self, section: Any, places: range, lists: list[Any]) -> None:
        """A section that was read, with the lists in it."""
        if not places:
            return
        self.places[section.get(ID, "")] = places
        names = [item.get(ID) or f"list {len(self.named) + number}" for number, item in enumerate(lists)]
        for name, item in zip(names, lists, strict=True):
            self.named[name] = [target.removeprefix("#") for target in item.get("plist", "").split()]
        if lists:
            untyped = [name for name, item in zip(names, lists, strict=True) if item.get("type") is None]
            self.chosen.append((places, (untyped or names)[0]))

    def order(self, measures: list[Measure]) -> list[int] | None:
        """The order of playing, or None without a list that can be followed.

        raises: InputError when that is more than 50,000 measures
        """
        lists = [(places, self._sections(name, frozenset())) for places, name in reversed(self.chosen)]  # outer first
        followed = [(places, sections) for places, sections in lists if sections]
        followed.sort(key=lambda entry: (entry[0].start, -entry[0].stop))
        if not followed:
            return None
        order: list[int] = []
        self._play(range(len(measures)), followed, frozenset(), measures, order)
        return order

    def _sections(self, name: str, within: frozenset[str]) -> list[range]:
        """What a list plays, with the lists that it names; nothing when it names what is not there, or itself."""
        found: list[range] = []
        for item in self.named[name]:
            more = [self.places[item]] if item in self.places else []
            if item in self.named and item not in within | {name} and len(within) < MOST_NESTED:
                more = self._sections(item, within | {name})
            if not more or len(found) > MOST_MEASURES:
                return []
            found += more
        return found

    def _play(
        self,
        places: range,
        lists: list[tuple[range, list[range]]],
        within: frozenset[int],
        measures: list[Measure],
        order: list[int],
    ) -> None:
        """Add some measures to the order of playing. within: the lists that they are played in"""
        now = places.start
        for number, (section, sections) in enumerate(lists):
            if section.start >= places.stop:
                break
            if number not in within and now <= section.start and section.stop <= places.stop:
                self._plain(range(now, section.start), measures, order, signs=not within)
                for item in sections:
                    self._play(item, lists, within | {number}, measures, order)
                now = section.stop
        self._plain(range(now, places.stop), measures, order, signs=not within)

    def _plain(self, places: range, measures: list[Measure], order: list[int], *, signs: bool) -> None:
        """Measures without a list."""
        left = MOST_MEASURES - len(order)
        order += walk(measures, places.start, places.stop, left) if signs else places
        if len(order) > MOST_MEASURES:
            raise InputError(f"an expansion that plays more than {MOST_MEASURES} measures")
