"""Numbers as values of options: what is none is called so, and not by the name of a class."""

import click


class WholeNumber(click.IntRange):
    name = "whole number"


class Number(click.FloatRange):
    name = "number"
