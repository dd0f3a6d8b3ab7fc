"""InfluxDB as a store: the public schema, and what is said when the server is away or refuses."""

from __future__ import annotations

import io
import json
import logging
import socketserver
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from minewatch.contracts import PointInfo, ReadingBatch, Watermark
from minewatch.errors import StoreBusy, StoreError
from minewatch.store.influx import InfluxTelemetry
from minewatch.store.telemetry_settings import InfluxSettings
from servers import Server, free_port, influxd

T0 = 1_700_000_000_000_000_000
POINT = PointInfo("n/m/CH4", "n", "g", "m", "CH4", "methane", "% CH4", "longwall/face", interval_s=1.0)
BATCH = ReadingBatch.of([0, 0], [T0, T0 + 1], [1.5, 2.5])
MARK = Watermark("n/g", "spool", 4)


class Greeting(BaseHTTPRequestHandler):
    """A web server that answers every question with a page."""

    def do_GET(self) -> None:
        """Answer with a page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>hello</h1>")

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


def url(server: Server) -> str:
    """Return the address of a server."""
    return f"http://127.0.0.1:{server.port}"


def ask(
    server: Server, query: str, *, database: str = "", user: str = "", method: str = "POST"
) -> list[object]:
    """Ask a server without the client of the store: an outsider's look at what was written."""
    values = {"q": query, "db": database, "epoch": "ns"}
    if user:
        values |= {"u": user, "p": "secret"}
    request = urllib.request.Request(f"{url(server)}/query?{urllib.parse.urlencode(values)}", method="POST")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return list(json.load(answer)["results"][0].get("series", []))


def store_on(address: str, database: str = "minewatch", **settings: object) -> InfluxTelemetry:
    """Open a store that knows the one point of these tests."""
    store = InfluxTelemetry(InfluxSettings.model_validate({"url": address, "database": database, **settings}))
    store.add_points({0: POINT})
    return store


def test_the_schema_is_the_public_one(influxd_server: Server) -> None:
    """Anybody's InfluxQL finds the readings under the promised tags and fields, at the source's time."""
    store = store_on(url(influxd_server), "schema")
    store.write(BATCH, [MARK])
    store.close()
    assert ask(influxd_server, "SELECT * FROM reading", database="schema") == [
        {
            "name": "reading",
            "columns": ["time", "device", "historical", "metric", "quality", "site", "unit", "value", "zone"],
            "values": [
                [T0, "m", False, "CH4", 0, "n", "% CH4", 1.5, "longwall/face"],
                [T0 + 1, "m", False, "CH4", 0, "n", "% CH4", 2.5, "longwall/face"],
            ],
        }
    ]


def test_a_repeat_overwrites(influxd_server: Server) -> None:
    """The same rows written three times, as after two lost answers, are there once."""
    store = store_on(url(influxd_server), "repeats")
    for _ in range(3):
        store.write(BATCH, [MARK])
    assert store.counts().stored == 2
    store.close()


def test_watermarks_of_a_minute_take_one_row(influxd_server: Server) -> None:
    """A write each quarter of a second does not fill the database with what was once held."""
    store = store_on(url(influxd_server), "marks")
    for i in range(20):
        store.write(ReadingBatch.of([0], [T0 + i * 250_000_000], [1.0]), [Watermark("n/g", "spool", i)])
    assert [mark.upto for mark in store.watermarks()] == [19]
    store.close()
    series = ask(influxd_server, "SELECT count(upto) FROM delivery", database="marks")
    assert series[0]["values"][0][1] == 1


def test_a_server_that_is_away_is_busy() -> None:
    """Opening does not ask; each call says who does not answer, and may be repeated."""
    address = f"http://127.0.0.1:{free_port()}"
    store = store_on(address, timeout_s=1)
    for call in (lambda: store.write(BATCH), store.counts, store.watermarks, lambda: list(store.since(0))):
        with pytest.raises(StoreBusy, match=f"{address}: InfluxDB does not answer"):
            call()
    store.close()


def test_nothing_is_lost_over_a_power_cut_of_the_server(tmp_path: Path) -> None:
    """Killed and started again with the same data, the server takes what was refused meanwhile."""
    try:
        influxd.find()
    except influxd.Absent as absent:
        pytest.skip(f"absent part: {absent}")
    with influxd.running(tmp_path) as server:
        store = store_on(url(server))
        store.write(BATCH, [MARK])
        server.kill()
        later = ReadingBatch.of([0], [T0 + 9], [3.5])
        with pytest.raises(StoreBusy):
            store.write(later, [Watermark("n/g", "spool", 5)])
        server.start()
        assert store.write(later, [Watermark("n/g", "spool", 5)]).accepted == 1
        assert store.counts().stored == 3
        assert [mark.upto for mark in store.watermarks()] == [5]
        store.close()


def test_a_database_that_was_dropped_is_made_again(influxd_server: Server) -> None:
    """The call that finds it gone is busy, the next one makes it."""
    store = store_on(url(influxd_server), "dropped")
    store.write(BATCH)
    ask(influxd_server, 'DROP DATABASE "dropped"')
    with pytest.raises(StoreBusy, match="it is gone"):
        store.write(BATCH)
    assert store.write(BATCH).accepted == 2
    store.close()


def test_another_programs_types_are_named(influxd_server: Server) -> None:
    """Where somebody wrote text into reading.value, the mend is a database of our own."""
    store = store_on(url(influxd_server), "conflict")
    store.counts()
    body = f'reading,site=n value="x" {T0}'.encode()
    urllib.request.urlopen(f"{url(influxd_server)}/write?db=conflict", body, timeout=5).close()
    with pytest.raises(StoreError, match=r"database conflict: .*set a database of its own") as caught:
        store.write(BATCH)
    assert not isinstance(caught.value, StoreBusy)
    store.close()


def test_rows_older_than_the_retention_are_counted_as_rejected(influxd_server: Server) -> None:
    """What the server's policy forbids to keep is said with its reason; the other rows are kept."""
    ask(influxd_server, 'CREATE DATABASE "short" WITH DURATION 1h')
    store = store_on(url(influxd_server), "short")
    far = 4_000_000_000 * 10**9  # not yet expired, whenever this runs
    written = store.write(ReadingBatch.of([0, 0], [T0, far], [1.0, 2.0]))
    assert (written.accepted, written.rejected) == (1, 1)
    assert dict(written.reasons) == {"older than the retention policy": 1}
    store.close()


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server that asks for user and password; the administrator is root, the password secret."""
    try:
        influxd.find()
    except influxd.Absent as absent:
        pytest.skip(f"absent part: {absent}")
    with influxd.running(auth=True) as server:
        ask(server, "CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
        ask(server, "CREATE USER reader WITH PASSWORD 'secret'", user="root")
        yield server


def test_user_and_password_open_a_guarded_server(guarded: Server) -> None:
    """InfluxDB 1.8 with authentication takes them for writing and for reading."""
    store = store_on(url(guarded), user="root", password="secret")
    assert store.write(BATCH, [MARK]).accepted == 2
    assert store.counts().stored == 2
    store.close()


@pytest.mark.parametrize(
    "credentials",
    [{}, {"user": "root", "password": "wrong-one"}, {"token": "wrong-one"}],
    ids=["none", "password", "token"],
)
def test_wrong_credentials_are_an_error_with_a_mend(guarded: Server, credentials: dict[str, str]) -> None:
    """A person must act: the message names the server and the settings, never the secret."""
    store = store_on(url(guarded), **credentials)
    with pytest.raises(
        StoreError, match=r"refuses who asks \(401\)\. Set token, or user and password"
    ) as caught:
        store.write(BATCH)
    assert not isinstance(caught.value, StoreBusy)
    assert "wrong-one" not in str(caught.value)
    store.close()


def test_a_user_who_may_not_make_the_database_is_told(guarded: Server) -> None:
    """The right user without the right: the message says what to make."""
    store = store_on(url(guarded), "fresh", user="reader", password="secret")
    with pytest.raises(StoreError, match="there is no database fresh, and none may be made"):
        store.write(BATCH)
    store.close()


@pytest.mark.parametrize(
    "address", ["localhost:8086", "http://u:p@host:8086", "http://host/path", "ftp://host"]
)
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    """A path, a password in the address or a missing scheme is found before any network."""
    with pytest.raises(ValueError, match="url"):
        InfluxSettings(url=address)


def test_a_server_that_is_no_influxdb_is_refused() -> None:
    """Somebody else's web server on that port gives one clear line, not a traceback."""
    with socketserver.TCPServer(("127.0.0.1", 0), Greeting) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        store = store_on(f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(StoreError, match="is the url that of an InfluxDB server") as caught:
            store.counts()
        thread.join()
        assert not isinstance(caught.value, StoreBusy)
        store.close()


def test_secrets_are_in_no_text_and_no_log(guarded: Server) -> None:
    """Settings print as stars, and the client logs nothing at its loudest."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        settings = InfluxSettings(url=url(guarded), user="root", password="secret")  # type: ignore[arg-type]  # pydantic makes it a SecretStr
        store = InfluxTelemetry(settings)
        store.add_points({0: POINT})
        store.write(BATCH)
        store.close()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "secret" not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()
    assert "root:secret" not in stream.getvalue()


def test_long_batches_go_in_several_requests(influxd_server: Server) -> None:
    """Twenty-five thousand rows are more than one request takes, and all arrive."""
    store = store_on(url(influxd_server), "long")
    times = T0 + np.arange(25_000)
    assert store.write(ReadingBatch.of([0] * 25_000, times, np.arange(25_000.0))).accepted == 25_000
    assert store.counts().stored == 25_000
    store.close()
