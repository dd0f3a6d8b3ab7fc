"""Errors as RFC 9457 problem documents, each with a ``code`` that programs can rely on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from minewatch.errors import CommandRefused, ConfigError, CoreUnavailable, NotFound, StoreBusy, StoreError

log = structlog.get_logger(__name__)

RETRY_S = "2"
MEDIA = "application/problem+json"
CODES = {
    404: ("no-such-address", "There is nothing at this address; /docs lists every address"),
    405: (
        "method-not-allowed",
        "This address does not take that method; the Allow header names those it takes",
    ),
    413: ("body-too-large", "The body is larger than any command; see serve.max_body_bytes"),
}


class Problem(HTTPException):
    """A refusal with a code, the path of the field it is about (or "") and more members."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        path: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.code = code
        self.path = path
        self.more = more


def bad_field(path: str, detail: str) -> Problem:
    """Return the refusal of one field, named by its path like ``query.from``."""
    return Problem(422, "invalid-field", detail, path=path, errors=[{"path": path, "detail": detail}])


def answer(
    status: int,
    code: str,
    detail: str,
    *,
    instance: str,
    path: str = "",
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """Write a problem document."""
    body: dict[str, Any] = {
        "type": f"urn:minewatch:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": instance,
    }
    if path:
        body["path"] = path
    body.update(more or {})
    content = json.dumps(body, ensure_ascii=True).encode()
    return Response(content, status, dict(headers or {}) | {"Cache-Control": "no-store"}, MEDIA)


def field_path(location: Sequence[int | str]) -> str:
    """Write where a field is: ``body.ids[3]``, ``query.limit``."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).lstrip(".")


async def _refusal(request: Request, error: Exception) -> Response:
    at = request.url.path
    if isinstance(error, Problem):
        return answer(
            error.status_code,
            error.code,
            error.detail,
            instance=at,
            path=error.path,
            headers=error.headers,
            more=error.more,
        )
    plain = cast(HTTPException, error)  # registered for this class only
    if plain.status_code == 400:  # the framework's word for a body that is not even UTF-8
        detail = "the body is not JSON in UTF-8"
        return await _refusal(request, Problem(422, "invalid-json", detail, path="body"))
    code, detail = CODES.get(plain.status_code, ("refused", plain.detail))
    return answer(plain.status_code, code, detail, instance=at, headers=plain.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    found = cast(RequestValidationError, error).errors()  # registered for this class only
    errors = [{"path": field_path(e["loc"]), "detail": str(e["msg"])} for e in found]
    first = errors[0] if errors else {"path": "", "detail": "the request cannot be read"}
    code = "invalid-json" if any(e["type"] == "json_invalid" for e in found) else "invalid-field"
    if code == "invalid-json":
        errors = [first := {"path": "body", "detail": "the body is not JSON: " + first["detail"]}]
    detail = f"{first['path']}: {first['detail']}"
    return answer(422, code, detail, instance=request.url.path, path=first["path"], more={"errors": errors})


async def _bad_value(request: Request, error: Exception) -> Response:
    wrong = cast(ConfigError, error)  # registered for this class only
    return await _refusal(request, bad_field(f"query.{wrong.where}", f"{wrong.what}. {wrong.mend}"))


async def _refused(request: Request, error: Exception) -> Response:
    state = getattr(error, "state", "")
    return answer(409, "state-forbids", str(error), instance=request.url.path, more={"state": state})


async def _not_found(request: Request, error: Exception) -> Response:
    return answer(404, "not-found", str(error), instance=request.url.path)


async def _core_away(request: Request, error: Exception) -> Response:
    detail = str(error) or "The core process does not answer"
    headers = {"Retry-After": RETRY_S}
    return answer(503, "core-unavailable", detail, instance=request.url.path, headers=headers)


async def _store(request: Request, error: Exception) -> Response:
    code = "store-busy" if isinstance(error, StoreBusy) else "store-error"
    headers = {"Retry-After": RETRY_S}
    return answer(503, code, str(error), instance=request.url.path, headers=headers)


async def _broken(request: Request, error: Exception) -> Response:
    log.error("request failed", path=request.url.path, exc_info=error)
    return answer(
        500, "internal-error", "minewatch has a fault here; its log says more", instance=request.url.path
    )


def install(app: FastAPI) -> None:
    """Make every error of an app a problem document."""
    app.add_exception_handler(HTTPException, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ConfigError, _bad_value)
    app.add_exception_handler(CommandRefused, _refused)
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(CoreUnavailable, _core_away)
    app.add_exception_handler(StoreError, _store)
    app.add_exception_handler(Exception, _broken)
