"""Numbers as options take them."""

from __future__ import annotations

import math

import click


class WholeRange(click.IntRange):
    """A range of whole numbers: click's, with a name that people know."""

    name = "whole number"


class RealRange(click.FloatRange):
    """A range of real numbers: click's, without `nan`, which every comparison lets through."""

    name = "number"

    def convert(
        self, value: float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; anything else is a usage error that names the option."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number
