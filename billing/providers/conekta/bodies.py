"""Dicts as the request models of Conekta's SDK, which checks them before they are sent.

The SDK's own reading (`from_dict`) fails where one of several models may stand, drops what it does
not know, and adds defaults that would overwrite what is there. Here nothing is dropped or added.
"""

from collections.abc import Mapping
from typing import Any, get_args


def body(parameter: str, values: Mapping[str, object]) -> Any:
    """Return a body; its model is named as its parameter is: `plan_request`, `PlanRequest`.

    What is None is left out. Raises TypeError for what the model does not know, and pydantic's
    ValueError for what Conekta would refuse.
    """
    import conekta

    given = {name: value for name, value in values.items() if value is not None}
    name = "".join(word.title() for word in parameter.split("_"))
    return _built(getattr(conekta, name), given)


def _built(kind: Any, values: Mapping[str, object]) -> Any:
    if "one_of_schemas" in kind.model_fields:
        return kind(_one_of(kind, values))
    unknown = values.keys() - _names(kind)
    if unknown:
        raise TypeError(f"the SDK's {kind.__name__} would not send {sorted(unknown)}")
    fields = {each.alias or name: each for name, each in kind.model_fields.items()}
    model = kind.model_validate(
        {name: _part(fields[name].annotation, value) for name, value in values.items()}
    )
    for name, field in kind.model_fields.items():
        if (field.alias or name) not in values:
            setattr(model, name, None)
    return model


def _one_of(kind: Any, values: Mapping[str, object]) -> Any:
    """The first model that takes all of the values."""
    import conekta

    names = sorted(kind.model_fields["one_of_schemas"].default)
    kinds = [each for each in (getattr(conekta, name) for name in names) if _takes(each, values)]
    for each in kinds[:-1]:
        try:
            return _built(each, values)
        except ValueError:
            continue
    if not kinds:
        raise TypeError(f"the SDK has no {kind.__name__} that would send {sorted(values)}")
    return _built(kinds[-1], values)


def _takes(kind: Any, values: Mapping[str, object]) -> bool:
    return values.keys() <= _names(kind)


def _names(kind: Any) -> set[str]:
    return {each.alias or name for name, each in kind.model_fields.items()}


def _part(annotation: Any, value: object) -> Any:
    """A value, or the model or models that stand in its place."""
    if isinstance(value, list | tuple):
        return [_part(annotation, each) for each in value]
    kind = _model_in(annotation)
    return _built(kind, value) if kind and isinstance(value, Mapping) else value


def _model_in(annotation: Any) -> Any:
    """The model inside of `Optional[List[Model]]`, None when there is none."""
    if hasattr(annotation, "model_fields"):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
