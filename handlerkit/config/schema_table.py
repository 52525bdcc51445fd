"""One table as JSON Schema: what pydantic says of a model, as TOML and editors see it.

TOML has no null; a value may be a reference, ``{ env = … }`` or ``{ file = … }``, where
the configuration takes one; ``oneOf`` becomes ``anyOf``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

REFERENCE = {"$ref": "#/$defs/reference"}
REFERENCES = {
    "title": "reference",
    "description": "A value from an environment variable, or from a file.",
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "env": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The environment variable that has the value.",
                },
                "default": {"description": "The value where it is not set."},
            },
            "required": ["env"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "file": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The file that has it, relative to this one.",
                }
            },
            "required": ["file"],
            "additionalProperties": False,
        },
    ],
}

_SCALARS = {"string", "integer", "number", "boolean"}
# What is said of a value, and stays outside when alternatives are added to it.
_TOLD = ("title", "description", "default", "examples", "deprecated", "writeOnly")
_NULL = {"type": "null"}


def table_schema(
    model: type[BaseModel], title: str, defs: dict[str, Any], *, prefix: str = ""
) -> dict[str, Any]:
    """Give the schema of a table; what it refers to is added to ``defs``.

    ``prefix`` keeps the names there apart from those of other models.
    """
    ref = f"#/$defs/{prefix and f'{prefix}.'}{{model}}"
    schema = model.model_json_schema(
        by_alias=True, ref_template=ref, schema_generator=_Generator
    )
    # Validation forbids unknown keys at every level, unless the outermost says.
    closed = "extra" not in model.model_config
    for name, found in schema.pop("$defs", {}).items():
        defs[f"{prefix and f'{prefix}.'}{name}"] = _or_reference(_node(found, closed))
    if "$ref" in schema:  # a model that refers to itself
        schema = dict(defs[schema["$ref"].rpartition("/")[2]])
    node = _node(schema, closed)
    return {"title": title, **{key: node[key] for key in node if key != "title"}}


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, that says less rather than fail."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as the base has it

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - the base's
        return False

    def handle_invalid_for_json_schema(
        self,
        schema: core_schema.CoreSchema,  # noqa: ARG002 - the base's
        error_info: str,  # noqa: ARG002 - likewise
    ) -> JsonSchemaValue:
        return {}


def _node(schema: Any, closed: bool) -> Any:  # noqa: FBT001 - private, and recursive
    """Give a schema with references allowed below it, and without null."""
    if not isinstance(schema, dict):
        return schema
    node = {key: value for key, value in schema.items() if key != "discriminator"}
    for word in {"oneOf", "anyOf"} & node.keys():
        members = [_node(each, closed) for each in node.pop(word) if each != _NULL]
        node = _joined(node, members)
    for word, inner in node.items():
        if word in ("items", "additionalProperties") and isinstance(inner, dict):
            node[word] = _or_reference(_node(inner, closed))
        elif word == "prefixItems":
            node[word] = [_or_reference(_node(each, closed)) for each in inner]
        elif word in ("properties", "patternProperties"):
            node[word] = {
                key: _or_reference(_node(value, closed)) for key, value in inner.items()
            }
    return _told(_with_rest(node, closed))


def _joined(node: dict[str, Any], members: list[Any]) -> dict[str, Any]:
    """Give what is left of a union: one member is no alternative."""
    if len(members) == 1 and not node.keys() & members[0].keys():
        return {**node, **members[0]}
    return {**node, "anyOf": members}


def _with_rest(node: dict[str, Any], closed: bool) -> dict[str, Any]:  # noqa: FBT001 - as _node
    """Say of a table with keys of its own whether it may have others.

    Tombi takes no word of it for no.
    """
    if "properties" in node and closed:
        node["additionalProperties"] = False
    elif node.get("type") == "object":
        node.setdefault("additionalProperties", True)
    return node


def _told(node: dict[str, Any]) -> dict[str, Any]:
    """Give a node without what must not be told, or is nothing in TOML."""
    if node.get("writeOnly") or node.get("default", 0) is None:
        node.pop("default", None)
    if "description" in node:
        node["description"] = node["description"].replace("``", "`")
    return node


def _or_reference(node: Any) -> Any:
    """Allow a reference in place of a single value."""
    if not isinstance(node, dict) or not _is_scalar(node):
        return node
    told = {key: node[key] for key in _TOLD if key in node}
    rest = {key: value for key, value in node.items() if key not in told}
    members = rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]
    return {**told, "anyOf": [*members, REFERENCE]}


def _is_scalar(node: dict[str, Any]) -> bool:
    """Say whether a schema allows a single value (``{}`` allows a reference, too)."""
    types = node.get("type", ())
    types = {types} if isinstance(types, str) else set(types)
    if types & _SCALARS or "enum" in node or "const" in node:
        return True
    return any(_is_scalar(each) for each in node.get("anyOf", ()))
