import json
from pathlib import Path
from typing import Any, get_args

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import BaseModel
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from minewatch.contracts import AlertState, Comparison
from minewatch.serve import calibration_schemas, present, schemas
from unit.serve.stage import Stage, alert

GOLDEN = Path(__file__).parents[2] / "vectors/http/openapi.json"


def promised(document: dict[str, Any]) -> dict[str, Any]:
    """Return what a client relies on: routes with parameters and statuses, models with their fields."""
    routes = {
        f"{method.upper()} {path}": {
            "parameters": sorted(f"{p['in']}.{p['name']}" for p in operation.get("parameters", ())),
            "statuses": sorted(operation["responses"]),
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    models = {
        name: sorted(model["properties"] if "properties" in model else model["enum"])
        for name, model in document["components"]["schemas"].items()
    }
    return {"routes": routes, "models": models}


def test_routes_and_fields_are_promises(stage: Stage) -> None:
    """Every route, parameter, status and field is that of the golden file: a change of it is meant."""
    assert promised(stage.app.openapi()) == json.loads(GOLDEN.read_text())


def test_every_route_is_explained(stage: Stage) -> None:
    """Each operation has a summary, a description, a tag and a problem document for each refusal."""
    for path, operations in stage.app.openapi()["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"], path
            assert operation["tags"], path
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)


@pytest.mark.parametrize(
    "model",
    [
        model
        for module in (schemas, calibration_schemas)
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, schemas.Out | schemas.In)
    ],
)
def test_examples_are_valid(model: type[BaseModel]) -> None:
    """Each example in the document is what the model takes."""
    for example in (model.model_json_schema().get("examples") or ())[:1]:
        model.model_validate(example)


def test_names_of_comparisons_are_those_of_the_contract() -> None:
    """Every comparison of a limit has its name in the JSON."""
    names = {c.name.lower().replace("_", "-") for c in Comparison}
    assert set(get_args(schemas.ComparisonName)) == names


def test_what_is_sent_is_what_is_promised(stage: Stage) -> None:
    """The hand-built JSON passes its models, which allow no other field."""
    [first] = stage.records.events(limit=1)
    schemas.EventOut.model_validate(present.event(first))
    assert set(present.event(first)) == set(schemas.EVENT)
    assert set(present.alert(first.alert)) == set(schemas.ALERT)
    assert set(present.point(0, stage.records.points()[0], None)) == set(schemas.POINT)
    assert set(present.gateway(stage.core.gateways[0])) == set(schemas.GATEWAY)
    [bad] = stage.records.rejects()
    schemas.RejectOut.model_validate(present.reject(bad))
    assert set(present.reject(bad)) == set(schemas.REJECT)


def lively() -> Stage:
    """Build a stage with enough in it that random calls meet something."""
    made = Stage()
    states = list(AlertState)
    made.journal(*(alert(str(i), state=states[i % 4]) for i in range(40)))
    return made


STAGE = lively()
API = schemathesis.openapi.from_asgi("/api/v1/openapi.json", STAGE.app, headers={"Host": "127.0.0.1"})
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@API.exclude(path="/api/v1/stream").parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_random_calls_are_answered_as_promised(case: schemathesis.Case[Any]) -> None:
    """Whatever is sent, right or wrong: no fault of ours, and each answer is as the document says."""
    case.call_and_validate(headers={"Host": "127.0.0.1"}, checks=CHECKS)
