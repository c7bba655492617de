"""The pydantic models of the contract, derived from the declarations of ``metric``.

Readers, tests and document generators use these; the daemon does not load this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from publisher.contract.metric import Field as Declared
from publisher.contract.metric import Kind, Metric, Reading, fields_of, is_list, may_be_absent
from publisher.contract.payload import SCHEMA_VERSION

JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Payload(BaseModel):
    """What every payload says beside its readings."""

    # Old readers must survive new writers: what is not known is kept out of the way.
    model_config = ConfigDict(extra="ignore", frozen=True)

    host: str = Field(description="Name of the machine that the message is about.")
    time: str = Field(
        description="When the values were read: RFC 3339, UTC, milliseconds.",
        json_schema_extra={"format": "date-time"},
    )
    schema_version: int = Field(
        SCHEMA_VERSION, description="Grows when a field changes its meaning or goes away."
    )


_MODELS: dict[tuple[type[Reading], type[BaseModel]], type[BaseModel]] = {}


def model_of(cls: type[Reading], base: type[BaseModel] = BaseModel) -> type[BaseModel]:
    """The pydantic model of a reading.

    Args:
        cls: a class made by ``@reading``.
        base: ``Payload`` for the content of a whole topic.
    """
    if (cls, base) in _MODELS:
        return _MODELS[cls, base]
    definitions: dict[str, Any] = {}
    for item in fields_of(cls):
        definitions[item.name] = (
            _annotation(item),
            Field(
                _default_of(item),
                title=item.metric.title,
                description=item.metric.description,
                json_schema_extra=_annotations_of(item),
            ),
        )
    model: type[BaseModel] = create_model(
        cls.__name__.removesuffix("Reading") + ("Message" if base is Payload else ""),
        __base__=base,
        __doc__=cls.__doc__,
        **definitions,
    )
    _MODELS[cls, base] = model
    return model


def json_schema(contents: Mapping[str, type[Reading]]) -> dict[str, Any]:
    """One JSON Schema (2020-12) for all topics: an object with one property a topic.

    The payload of a topic is valid against ``#/properties/<topic>``. Units, precision and kinds
    stand beside each field as ``x-…`` annotations, so that a reader can show what it has never
    heard of.
    """
    topics: dict[str, Any] = {leaf: (model_of(cls, Payload), ...) for leaf, cls in contents.items()}
    schema: dict[str, Any] = create_model("Catalogue", **topics).model_json_schema()
    schema.pop("required", None)
    document: dict[str, Any] = _without_null(schema)
    return {"$schema": JSON_SCHEMA_DIALECT, "schema_version": SCHEMA_VERSION} | document


_EMPTY: dict[Kind, Any] = {Kind.INSTANCES: {}, Kind.RECORDS: []}


def _default_of(item: Declared) -> Any:
    """What a missing key stands for: lists and maps that cannot be missing are empty."""
    return None if may_be_absent(item.type) else _EMPTY.get(item.metric.kind)


def _annotation(item: Declared) -> Any:
    """The type of a field in pydantic's terms: readings inside it become models, too."""
    metric = item.metric
    annotation: Any = _numbers(metric) if _bounded_list(item) else item.type
    if metric.of:
        model = model_of(metric.of)
        annotation = {
            Kind.INSTANCES: dict[str, model],  # type: ignore[valid-type]  # made at run time
            Kind.RECORDS: list[model],  # type: ignore[valid-type]
        }.get(metric.kind, model)
    elif metric.kind is Kind.CHOICE:
        annotation = Literal[metric.options]
    return annotation | None if may_be_absent(item.type) else annotation


def _bounded_list(item: Declared) -> bool:
    return item.metric.bounded and is_list(item.type)


def _numbers(metric: Metric) -> Any:
    """A list of numbers that have a range."""
    return list[Annotated[float, Field(json_schema_extra=_range_of(metric))]]


def _range_of(metric: Metric) -> dict[str, Any]:
    """What a number can be. Said, not enforced: a newer daemon may know of more."""
    bounds = {"minimum": metric.lowest, "maximum": metric.highest}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _annotations_of(item: Declared) -> dict[str, Any]:
    metric = item.metric
    notes: dict[str, Any] = {"x-kind": str(metric.kind)}
    if not is_list(item.type):
        notes |= _range_of(metric)
    if metric.unit:
        notes["x-unit"] = str(metric.unit)
    if metric.precision is not None:
        notes["x-precision"] = metric.precision
    if metric.headline:
        notes["x-headline"] = True
    return notes


def _without_null(node: Any) -> Any:
    """Takes the ``null`` arms and defaults out: an absent value is left out, never null."""
    if isinstance(node, list):
        return [_without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {
        key: _without_null(value)
        for key, value in node.items()
        if (key, value) != ("default", None)
    }
    arms = [arm for arm in node.get("anyOf", ()) if arm != {"type": "null"}]
    if len(arms) == 1:
        del node["anyOf"]
        node = {**arms[0], **node}
    elif arms:
        node["anyOf"] = arms
    return node
