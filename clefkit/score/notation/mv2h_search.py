"""Which of the best alignments of two pieces gives the best MV2H."""

from __future__ import annotations
