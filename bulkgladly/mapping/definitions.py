"""What the tables `[vars]` and `[lookup.NAME]` of a mapping file define for all of its fields. Pure."""

from dataclasses import dataclass

from bulkgladly.mapping.variables import NO_VARIABLES, Variables

__all__ = ("NO_DEFINITIONS", "Definitions")


@dataclass(frozen=True, slots=True)
class Definitions:
    """The names that fields can use."""

    variables: Variables = NO_VARIABLES


NO_DEFINITIONS = Definitions()
