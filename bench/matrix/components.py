"""Names and options: what a matrix file may say about one component.

A component is named by an entry of a table of vaelib (``"normal"``) or by an import path
(``"mypackage.module:MyPrior"``). Its keyword-only parameters are its options: their names,
annotations and defaults are the schema.
"""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from bench.errors import LONGEST, ForeignError, MatrixError, foreign, raised, shown, unknown
from bench.matrix.registry import FAMILIES, component
from vaelib.samples.options import SOURCES, Quality
from vaelib.training import Training

__all__ = [
    "MatrixName",
    "Name",
    "Option",
    "StudyName",
    "Text",
    "arguments",
    "component_at",
    "fitting",
    "resolve",
    "schema",
]


_CEILINGS: dict[str, dict[str, int]] = {
    "training": {"steps": 10**8},
    "quality": {"sbc_draws": 10**6},
    "flow": {"transforms": 1000, "bins": 10_000},
}
"""Above which no machine ends, by table or component: a step takes a millisecond, say."""

_PAGES = {"readme", "index", "predictors", "performance", "validity", "validity-quick", "cache"}
_PAGES |= {"written-by-vaebench"}


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise ValueError("should be 1 to 64 letters, digits, - and _")
    return text


def _plain_name(text: str) -> str:
    if _name(text).startswith("-"):
        raise ValueError("should begin with a letter, digit or _, since - begins an option")
    return text


def _matrix_name(text: str) -> str:
    if _plain_name(text).lower() in _PAGES or text.lower().endswith("-claims"):
        raise ValueError("should be called like no other page of the results")
    return text


def _study_name(text: str) -> str:
    if ";" in _text(text):
        raise ValueError("should have no semicolon, which parts the studies of a row")
    if text.startswith("-"):
        raise ValueError("should not begin with -, which begins an option")
    if text.lower() in ("readme", "index"):
        raise ValueError("should be called like no other page of the results")
    return text


def _text(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("should be one line of printable text")
    return text


Name = Annotated[str, AfterValidator(_plain_name)]  # becomes a file name
MatrixName = Annotated[str, AfterValidator(_matrix_name)]  # and a page
StudyName = Annotated[str, AfterValidator(_study_name)]
Text = Annotated[str, AfterValidator(_text)]  # people read it


@dataclass(frozen=True)
class Option:
    """One keyword of a component.

    Attributes:
        adapter: validates and normalises its values.
        default: its default, ``inspect.Parameter.empty`` where it must be given.
    """

    adapter: TypeAdapter[Any]
    default: Any

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty


def component_at(family: str, name: object, at: str = "") -> Callable[..., Any]:
    """The class or function that a component name in a matrix stands for.

    Args:
        family: a key of ``FAMILIES``.
        name: an entry of that table or an import path ``"package.module:Attribute"``.
        at: where the name stands, for the error.

    Returns:
        The class or function.

    Raises:
        MatrixError: for an unknown name, or a path that cannot be imported.
    """
    key = f"{at}{family}.name"
    if not isinstance(name, str):
        raise MatrixError(f"{key}: expected text, got {shown(name)}")
    if name not in FAMILIES[family] and ":" not in name:
        also = '; or an import path "package.module:Attribute"'
        raise MatrixError(unknown(key, f"{family} {shown(name)}", name, FAMILIES[family], also))
    with foreign(f"{key}: cannot import {shown(name)}"):
        target: Callable[..., Any] = component(family, name)
        fits = inspect.isclass(target) or inspect.isroutine(target)
    if not fits:
        raise MatrixError(
            f"{key}: expected a class or a function at {shown(name)}, got {type(target).__name__}"
        )
    return target


@cache
def schema(target: Callable[..., Any], *, every: bool = False) -> dict[str, Option]:
    """The options of a component, by name.

    Args:
        target: the component.
        every: whether all its parameters are options, not the keyword-only ones alone.

    Returns:
        The options in the order of the signature; defaults as plain JSON values.

    Raises:
        MatrixError: for an annotation that TOML cannot fill; it names the component, not the key.
        ForeignError: for a signature that raises something when it is read.
    """
    kinds = [inspect.Parameter.KEYWORD_ONLY, *[inspect.Parameter.POSITIONAL_OR_KEYWORD] * every]
    options: dict[str, Option] = {}
    option = "its options"
    try:
        for option, parameter in inspect.signature(target, eval_str=True).parameters.items():
            if parameter.kind in kinds:
                empty = parameter.empty
                hint = Any if parameter.annotation is empty else parameter.annotation
                adapter = TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False))
                default = parameter.default
                options[option] = Option(
                    adapter, empty if default is empty else _typed(adapter, default)
                )
    except BaseException as error:  # the annotations and defaults may be anybody's
        if isinstance(error, KeyboardInterrupt):
            raise
        sentence = f"{target.__qualname__}: a matrix cannot set {option}"
        if isinstance(error, PydanticUserError):
            reason = f"TOML holds no {inspect.formatannotation(parameter.annotation)}"
        elif isinstance(error, ValidationError):
            reason = _reason(error)
        else:
            raise ForeignError(f"{sentence} ({raised(error)})") from error
        raise MatrixError(f"{sentence} ({reason})") from error
    return options


def _options(at: str, target: Callable[..., Any], *, every: bool = False) -> dict[str, Option]:
    """As `schema`; an error begins with the key."""
    try:
        return schema(target, every=every)
    except MatrixError as error:
        raise type(error)(f"{at[:-1]}: {error}") from error.__cause__


def _typed(adapter: TypeAdapter[Any], value: object) -> object:
    """Returns the value as its annotation wants it, in plain JSON: 1.0 for 1, lists for tuples."""
    typed: object = adapter.dump_python(adapter.validate_json(json.dumps(value)), mode="json")
    return typed


def _reason(error: ValidationError) -> str:
    texts = dict.fromkeys(e["msg"].removeprefix("Input ") for e in error.errors())
    joined = " or ".join(text.removeprefix("Value error, ") for text in texts)
    return joined.replace("an object", "a table")


def arguments(
    at: str, given: object, target: Callable[..., Any], *, named: bool = False
) -> dict[str, Any]:
    """Validate a table against a signature and fill its defaults in.

    Args:
        at: where the table stands, as the beginning of a dotted key, such as ``"base.prior."``.
        given: the table.
        target: the component or dataclass whose options it sets.
        named: whether the table is a component's: it may also hold a name, which is left out, and
            only keyword-only parameters count.

    Returns:
        Every option, typed, in the order of the signature; plain JSON values.

    Raises:
        MatrixError: for unknown, missing or ill-typed options.
        ForeignError: for one whose validator raises something else.
    """
    options = _options(at, target, every=not named)
    if not isinstance(given, Mapping):
        raise MatrixError(f"{at[:-1]}: expected a table {{ … }}, got {shown(given)}")
    for key in given:
        if key not in options and not (named and key == "name"):
            raise MatrixError(
                unknown(at + key[:LONGEST], "key", key, [*options, *(["name"] if named else [])])
            )
    values = {}
    for key, option in options.items():
        if key in given:
            try:
                values[key] = _typed(option.adapter, given[key])
            except ValidationError as error:
                got = shown(given[key])
                raise MatrixError(f"{at}{key}: {_reason(error)}, got {got}") from error
            except BaseException as error:  # the validators may be anybody's
                if isinstance(error, KeyboardInterrupt):
                    raise
                sentence = f"{at}{key}: cannot be {shown(given[key])} ({raised(error)})"
                raise ForeignError(sentence) from error
        elif option.required:
            raise MatrixError(f"{at}{key}: missing, and it has no default")
        else:
            values[key] = option.default
    return values


def resolve(family: str, table: object, at: str = "") -> dict[str, Any]:
    """A component's table with its name, every option typed and every default filled in.

    Args:
        family: a key of ``FAMILIES``, or ``"training"`` or ``"quality"``.
        table: what the matrix says; without a name the family's first component is meant.
        at: where the table stands, for errors.

    Returns:
        ``{"name": …, option: value, …}``, plain JSON values; the latter two have no name.

    Raises:
        MatrixError: for every mistake in it.
    """
    inside = f"{at}{family}."
    if family in _SETTINGS:
        values = arguments(inside, table, _SETTINGS[family])
        for source in values.get("sources", ()):
            if source not in SOURCES:
                raise MatrixError(unknown(f"{inside}sources", f'"{source}"', source, SOURCES))
        try:
            _SETTINGS[family](**values)
        except ValueError as error:
            raise MatrixError(f"{inside[:-1]}: {error}") from error
        _check_ceilings(inside, family, values)
        return values
    if not isinstance(table, Mapping):
        example = f'{{ name = "{next(iter(FAMILIES[family]))}" }}'
        raise MatrixError(f"{inside[:-1]}: expected a table such as {example}, got {shown(table)}")
    name = table.get("name", next(iter(FAMILIES[family])))
    values = arguments(inside, table, component_at(family, name, at), named=True)
    _check_ceilings(inside, name, values)
    return {"name": name, **values}


def _check_ceilings(at: str, name: str, values: Mapping[str, Any]) -> None:
    for option, most in _CEILINGS.get(name, {}).items():
        if values[option] > most:
            raise MatrixError(
                f"{at}{option}: expected at most {most:,}, got {values[option]:,}; no machine "
                "ends more"
            )


def fitting(table: Mapping[str, Any], target: Callable[..., Any], at: str) -> dict[str, Any]:
    """The options in one component's table that another component also takes.

    Args:
        table: what the matrix says of the one.
        target: the other.
        at: where its table stands, as for `arguments`.

    Returns:
        The entries of ``table`` that are options of ``target`` with values it accepts.
    """
    kept = {}
    for key, option in _options(at, target).items():
        if key in table:
            try:
                kept[key] = _typed(option.adapter, table[key])
            except BaseException as error:  # of its own validator: a reason like any other
                if isinstance(error, KeyboardInterrupt):
                    raise
    return kept


_SETTINGS: dict[str, Callable[..., Any]] = {"training": Training, "quality": Quality}
