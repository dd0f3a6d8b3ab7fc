"""The Sparkplug B payload as protobuf classes, built at import from a field table.

A private descriptor pool keeps them apart from any other library's copy of the same messages, and no
protocol compiler or generated code (with its version check) is needed.
Source: Eclipse Sparkplug 3.0, chapter 6 "Payloads" (field names, numbers and types).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "minewatch.sparkplug"
_TYPES = {
    "u32": _Field.TYPE_UINT32,
    "u64": _Field.TYPE_UINT64,
    "f32": _Field.TYPE_FLOAT,
    "f64": _Field.TYPE_DOUBLE,
    "bool": _Field.TYPE_BOOL,
    "str": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}


class DataType(IntEnum):
    """Sparkplug data types (3.0, section 6.4.16); only those with a value of their own are listed."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19


SIGNED_BITS = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
NUMERIC = frozenset(range(DataType.INT8, DataType.BOOLEAN + 1))  # types a reading can have


def _scalars(first: int) -> list[tuple[str, int, str, str]]:
    """Return the six value fields that Metric, PropertyValue, DataSetValue and Parameter share."""
    names = ("int_value", "u32"), ("long_value", "u64"), ("float_value", "f32"), ("double_value", "f64")
    rest = ("boolean_value", "bool"), ("string_value", "str")
    return [(name, first + i, kind, "value") for i, (name, kind) in enumerate(names + rest)]


# message -> (field, number, type, "one" | "many" | "value": a member of the oneof "value")
_TABLE: dict[str, list[tuple[str, int, str, str]]] = {
    "Payload": [
        ("timestamp", 1, "u64", "one"),
        ("metrics", 2, "Payload.Metric", "many"),
        ("seq", 3, "u64", "one"),
        ("uuid", 4, "str", "one"),
        ("body", 5, "bytes", "one"),
    ],
    "Payload.Metric": [
        ("name", 1, "str", "one"),
        ("alias", 2, "u64", "one"),
        ("timestamp", 3, "u64", "one"),
        ("datatype", 4, "u32", "one"),
        ("is_historical", 5, "bool", "one"),
        ("is_transient", 6, "bool", "one"),
        ("is_null", 7, "bool", "one"),
        ("metadata", 8, "Payload.MetaData", "one"),
        ("properties", 9, "Payload.PropertySet", "one"),
        *_scalars(10),
        ("bytes_value", 16, "bytes", "value"),
        ("dataset_value", 17, "Payload.DataSet", "value"),
        ("template_value", 18, "Payload.Template", "value"),
    ],
    "Payload.MetaData": [
        ("is_multi_part", 1, "bool", "one"),
        ("content_type", 2, "str", "one"),
        ("size", 3, "u64", "one"),
        ("seq", 4, "u64", "one"),
        ("file_name", 5, "str", "one"),
        ("file_type", 6, "str", "one"),
        ("md5", 7, "str", "one"),
        ("description", 8, "str", "one"),
    ],
    "Payload.PropertySet": [("keys", 1, "str", "many"), ("values", 2, "Payload.PropertyValue", "many")],
    "Payload.PropertyValue": [
        ("type", 1, "u32", "one"),
        ("is_null", 2, "bool", "one"),
        *_scalars(3),
        ("propertyset_value", 9, "Payload.PropertySet", "value"),
        ("propertysets_value", 10, "Payload.PropertySetList", "value"),
    ],
    "Payload.PropertySetList": [("propertyset", 1, "Payload.PropertySet", "many")],
    "Payload.DataSet": [
        ("num_of_columns", 1, "u64", "one"),
        ("columns", 2, "str", "many"),
        ("types", 3, "u32", "many"),
        ("rows", 4, "Payload.DataSet.Row", "many"),
    ],
    "Payload.DataSet.Row": [("elements", 1, "Payload.DataSet.DataSetValue", "many")],
    "Payload.DataSet.DataSetValue": _scalars(1),
    "Payload.Template": [
        ("version", 1, "str", "one"),
        ("metrics", 2, "Payload.Metric", "many"),
        ("parameters", 3, "Payload.Template.Parameter", "many"),
        ("template_ref", 4, "str", "one"),
        ("is_definition", 5, "bool", "one"),
    ],
    "Payload.Template.Parameter": [("name", 1, "str", "one"), ("type", 2, "u32", "one"), *_scalars(3)],
}


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str, role: str) -> None:
    field = message.field.add(name=name, number=number)
    field.label = _Field.LABEL_REPEATED if role == "many" else _Field.LABEL_OPTIONAL
    if kind in _TYPES:
        field.type = _TYPES[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    if role == "value":
        field.oneof_index = 0


def _build() -> Any:
    """Return the Payload class made from the table."""
    file = descriptor_pb2.FileDescriptorProto(
        name="minewatch_sparkplug.proto", package=_PACKAGE, syntax="proto2"
    )
    made: dict[str, descriptor_pb2.DescriptorProto] = {}
    for path, fields in _TABLE.items():
        parent, _, name = path.rpartition(".")
        message = made[parent].nested_type.add() if parent else file.message_type.add()
        message.name = name
        made[path] = message
        if any(role == "value" for *_, role in fields):
            message.oneof_decl.add().name = "value"
        for field in fields:
            _add_field(message, *field)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


# The class is made at run time, so its fields cannot be typed; only `codec` touches it.
Payload: Any = _build()
