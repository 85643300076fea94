"""Options of commands: made of the fields of settings, or shared by several commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib import import_module
from inspect import Parameter, Signature, cleandoc, signature
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from unmask.bench.core.errors import UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel

NO_OUTPUT: Final = 3
"""Exit code of a run that measured nothing on a data set: no face in it, or a method that gave nothing usable."""
MOST_DEFAULTS: Final = 2
"""Values of an option that its help names as default."""
RUNNING: Final = "How it runs"
"""`bench.core.settings.RUNNING`, which takes longer to import than all commands together."""

Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="Where local copies of data sets lie (else UNMASK_DATA).",
        show_default=False,
        rich_help_panel=RUNNING,
    ),
]
Report = Annotated[
    bool, typer.Option("--report/--no-report", help="Write the HTML report too.", rich_help_panel=RUNNING)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Config = Annotated[
    Path | None, typer.Argument(metavar="[CONFIG.toml]", help="Settings; options win over it.", show_default=False)
]
CALIBRATION: Final = "unmask.bench.study.originals:CalibrationSettings"
RUN_CONFIG: Final = "unmask.bench.run.planning.config:RunConfig"
MEASURED: Final = "unmask.bench.run.planning.config:Measured"
TRAINING: Final = "unmask.bench.core.training:TrainSettings"
WAY_OF_RUNNING: Final = "unmask.bench.run.planning.config:Running"


def existing_root(root: Path | None) -> Path | None:
    """Raises `UsageError` where ``--root`` names no folder."""
    if root is not None and not all(Path(part).is_dir() for part in str(root).split(os.pathsep)):
        raise UsageError(f"--root {root} is not a folder")
    return root.absolute() if root is not None and os.pathsep not in str(root) else root


def settings_command(
    app: typer.Typer,
    name: str,
    *models: str,
    without: Collection[str] = (),
    defaults: Mapping[str, Any] | str = "",
    doc: str = "",
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a command whose function takes models of settings: each parameter that is annotated with one of
    ``models`` (``module:Class``) is replaced by an option for each field of it that has an `Option`.

    ``without``: fields that are no options of this command. ``defaults``: values of fields where nothing else says
    so, or where they are written (``module:NAME``). ``doc``: the help, where it is not the function's. The models are
    imported when the command is used, not when the others are.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        class Command(TyperCommand):
            def get_params(self, ctx: Any) -> list[Any]:
                if not self.params:
                    usual = _imported(defaults) if isinstance(defaults, str) and defaults else defaults or {}
                    single = typer.Typer(add_completion=False)
                    single.command()(_with_options(function, [_imported(model) for model in models], without, usual))
                    command = typer.main.get_command(single)
                    self.params, self.callback = command.params, command.callback
                return super().get_params(ctx)

        app.command(name, cls=Command, help=cleandoc(doc or function.__doc__ or ""))(lambda: None)
        return function

    return register


def _with_options(
    function: Callable[..., None],
    models: Sequence[type[BaseModel]],
    without: Collection[str],
    defaults: Mapping[str, Any],
) -> Callable[..., None]:
    """``function`` with keyword-only options in place of its parameters that are models."""
    from unmask.bench.run.planning.config import read_settings

    hints = get_type_hints(function, localns={model.__name__: model for model in models}, include_extras=True)
    own = {name: parameter for name, parameter in signature(function).parameters.items() if hints[name] not in models}
    by_parameter = {name: hints[name] for name in signature(function).parameters if name not in own}
    parameters = [parameter for model in by_parameter.values() for parameter in _parameters(model, without, defaults)]
    parameters += [
        parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY) for name, parameter in own.items()
    ]

    def call(**values: Any) -> None:
        settings = {}
        for name, model in by_parameter.items():
            entries = {field: _value(model, field, values) for field in model.model_fields}
            options = {field: value for field, value in entries.items() if value is not None}
            usual = {field: value for field, value in defaults.items() if field in entries}
            settings[name] = read_settings(model, values.get("config"), options, usual)
        function(**{name: values[name] for name in own}, **settings)

    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _imported(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _parameters(model: type[BaseModel], without: Collection[str], defaults: Mapping[str, Any]) -> Iterator[Parameter]:
    """The options of a model's fields and, hidden, their former spellings."""
    from unmask.bench.core.settings import options_of

    for field in options_of(model):
        if field not in without:
            yield from _parameter(model, field, defaults.get(field, model.model_fields[field].default))


def _parameter(model: type[BaseModel], field: str, usual: Any) -> Iterator[Parameter]:
    from unmask.bench.core.settings import flag_of, option_of

    option, info = option_of(model, field), model.model_fields[field]
    assert option is not None
    kind, several, choices = _type(info.annotation)
    flag = flag_of(model, field)
    limits = {name: getattr(item, name) for item in info.metadata for name in ("ge", "le") if hasattr(item, name)}
    visible = typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        *([option.short] if option.short else []),
        help=_help(info.description or "", usual),
        metavar=option.metavar or choices or None,
        min=limits.get("ge"),
        max=limits.get("le"),
        show_default=False,
        rich_help_panel=option.panel,
    )
    plain: Any = list[kind] if several else kind  # type: ignore[valid-type]
    # What the command line leaves out, a config file may say.
    empty, annotation = (Parameter.empty, plain) if info.is_required() else (None, plain | None)
    yield Parameter(field, Parameter.KEYWORD_ONLY, annotation=Annotated[annotation, visible], default=empty)
    if _former(field, flag):
        hidden = Annotated[plain | None, typer.Option(_former(field, flag), hidden=True)]
        yield Parameter(f"former_{field}", Parameter.KEYWORD_ONLY, annotation=hidden, default=None)


def _former(field: str, flag: str) -> str:
    """``--metrics`` for ``--metric``; '' where the option was never spelled otherwise."""
    plural = f"--{field.replace('_', '-')}"
    return plural if plural != flag and plural.startswith(flag[:-1]) else ""


def _type(annotation: Any) -> tuple[type, bool, str]:
    """What typer reads of a field's type: the type of one value, whether there may be several, and which there are."""
    options = [each for each in get_args(annotation) if each is not type(None)]
    if get_origin(annotation) in (Union, UnionType) and len(options) == 1:
        return _type(options[0])
    if get_origin(annotation) is Literal:
        return str, False, "|".join(options)
    if get_origin(annotation) is tuple:
        return str, options[-1] is Ellipsis, ""
    return annotation if annotation in (bool, int, float, Path) else str, False, ""


def _help(text: str, default: Any) -> str:
    from rich.markup import escape

    values = [default] if isinstance(default, int | float | str | Path) and not isinstance(default, bool) else default
    few = isinstance(values, Sequence) and len(values) <= MOST_DEFAULTS and all(value != "" for value in values)
    usual = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values) if few else ""
    return escape(f"{' '.join(text.replace('`', '').split()).rstrip('.')}{f' (default: {usual})' if usual else ''}.")


def _value(model: type[BaseModel], field: str, values: Mapping[str, Any]) -> Any:
    """What the command line says of a field; ``None`` = nothing."""
    from unmask.bench.core.settings import flag_of, option_of

    value, former, flag = values.get(field), values.get(f"former_{field}"), flag_of(model, field)
    if former:
        typer.echo(f"{_former(field, flag)} is now spelled {flag}", err=True)
        value = [*(value or []), *former]
    option = option_of(model, field)
    if not value or option is None or not option.commas:
        return None if value == [] else value
    names = [name.strip() for text in value for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{flag} names nothing; leave it out, or name one at least")
    return names
