"""The two calls to an InfluxDB server: write lines, ask in InfluxQL; and what its refusals mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from minewatch.errors import StoreBusy, StoreError
from minewatch.store import telemetry_metrics as metrics
from minewatch.store.telemetry_settings import InfluxSettings

_LINES = 10_000  # of one request: about 1 MB
_DROPPED = re.compile(r"dropped=(\d+)")
_BUSY = {408, 429, 500, 502, 503, 504}


class InfluxServer:
    """A server with one database on it, which is made at the first call."""

    def __init__(self, settings: InfluxSettings) -> None:
        """Prepare the client; the network is not touched yet."""
        self._settings = settings
        self._ready = False
        self._client: Any = InfluxDBClient(  # Any: half of its methods have no types
            url=settings.url,
            token=_token(settings),
            org=settings.organisation,
            timeout=round(settings.timeout_s * 1000),
            retries=False,  # what to do with a refusal is the caller's decision
        )
        self._writer: Any = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: Sequence[str]) -> int:
        """Write lines; return how many the server dropped because its retention policy is shorter."""
        self._make_ready()
        dropped = 0
        for start in range(0, len(lines), _LINES):
            dropped += self._post("\n".join(lines[start : start + _LINES]))
        return dropped

    def _post(self, body: str) -> int:
        try:
            self._writer.write(self._settings.database, self._settings.organisation, body, "ns")
        except (ApiException, HTTPError) as error:
            text = _text(error)
            if "retention policy" in text and (found := _DROPPED.search(text)):
                return int(found.group(1))
            raise self._refused(error) from error
        return 0

    def series(self, query: str) -> list[dict[str, Any]]:
        """Return the series that a query finds: dicts of tags, columns and values, times in ns."""
        self._make_ready()
        return self._query("GET", query)

    def _query(self, method: str, query: str) -> list[dict[str, Any]]:
        try:
            answer = self._client.api_client.call_api(
                "/query",
                method,
                query_params=[("db", self._settings.database), ("epoch", "ns"), ("q", query)],
                header_params={"Accept": "application/json"},
                response_type="object",
                auth_settings=[],
                _return_http_data_only=True,
            )
        except (ApiException, HTTPError) as error:
            raise self._refused(error) from error
        result = _result(answer)
        if "error" in result:
            raise self._failed(str(result["error"]))
        return list(result.get("series", ()))

    def _make_ready(self) -> None:
        """Make the database if it is missing."""
        if self._ready:
            return
        name = self._settings.database
        held = [row[0] for series in self._query("GET", "SHOW DATABASES") for row in series.get("values", ())]
        if name not in held:
            try:
                self._query("POST", f'CREATE DATABASE "{name}"')
            except StoreBusy:
                raise
            except StoreError as error:
                raise StoreError(
                    f"{self._settings.url}: there is no database {name}, and none may be made. Make it "
                    f"(InfluxDB 2: a bucket with a DBRP mapping), or set another. ({error})"
                ) from error
        self._ready = True

    def _refused(self, error: ApiException | HTTPError) -> StoreError:
        url, text = self._settings.url, _text(error)
        status = error.status if isinstance(error, ApiException) else 0
        if isinstance(error, HTTPError):
            return _counted(StoreBusy(f"{url}: InfluxDB does not answer. ({text})"))
        if status in _BUSY:
            return _counted(StoreBusy(f"{url}: InfluxDB cannot take it now ({status}). ({text})"))
        if status in (401, 403):
            mend = "Set token, or user and password, of one who may read and write the database."
            return _counted(StoreError(f"{url}: InfluxDB refuses who asks ({status}). {mend} ({text})"))
        return self._failed(f"{status}: {text}")

    def _failed(self, text: str) -> StoreError:
        where = f"{self._settings.url}, database {self._settings.database}"
        if "database not found" in text:
            self._ready = False
            return _counted(StoreBusy(f"{where}: it is gone; the next call makes it again. ({text})"))
        if "field type conflict" in text:
            mend = "Another program writes this measurement with other types: set a database of its own."
            return _counted(StoreError(f"{where}: {mend} ({text})"))
        return _counted(
            StoreError(f"{where}: InfluxDB refused. Check url, database and server log. ({text})")
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._writer.close()
        self._client.close()


def _token(settings: InfluxSettings) -> str:
    if settings.token is not None:
        return settings.token.get_secret_value()
    if settings.user:
        password = settings.password.get_secret_value() if settings.password else ""
        return f"{settings.user}:{password}"  # InfluxDB 1.8 takes this as a token, on both paths
    return ""


def _result(answer: object) -> dict[str, Any]:
    """Return the answer to the only statement of a query."""
    if isinstance(answer, dict):
        results = answer.get("results")
        if isinstance(results, list) and results and isinstance(results[0], dict):
            return results[0]
        if "error" in answer:
            return answer
    return {"error": "the answer is not that of InfluxQL; is the url that of an InfluxDB server?"}


def _text(error: ApiException | HTTPError) -> str:
    body = error.body if isinstance(error, ApiException) else None
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    return " ".join(str(body or error).split())[:300]


def _counted(error: StoreError) -> StoreError:
    metrics.FAILURES.labels("influxdb", "busy" if isinstance(error, StoreBusy) else "error").inc()
    return error
