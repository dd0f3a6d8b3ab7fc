import asyncio

import pytest

from minewatch.contracts import Push, ReadingBatch
from minewatch.errors import StoreError
from minewatch.serve.feed import last_row
from minewatch.serve.settings import ServeSettings
from unit.serve.stage import NOW, S, Stage, Stream, alert

pytestmark = pytest.mark.anyio


def small(stage: Stage, **settings: int) -> Stage:
    """Return a process on the same records whose memory of the stream is small."""
    return Stage(stage.clock, stage.records, ServeSettings.model_validate(settings))


async def test_a_new_viewer_gets_state_readings_and_what_follows(stage: Stage) -> None:
    """First the state (with the journal row to come back to), then the newest readings, then events."""
    await stage.feed.start()
    stage.feed.latest.merge(ReadingBatch.of([0], [NOW], [1.31]))
    async with Stream(stage.app) as stream:
        state = await stream.any()
        reading = await stream.any()
        assert (state.event, state.id, state.data["ready"]) == ("state", "3", True)
        assert (reading.event, reading.id, reading.data["value"]) == ("reading", None, [1.31])
        await stage.happens(alert("b1"))
        event = await stream.any()
    assert (event.event, event.id, event.data["alert"]["id"]) == ("alert", "4", "b1")
    assert event.data["sent"] == "2026-01-31T03:00:00.000000+00:00"


async def test_nobody_on_the_way_may_keep_or_hold_back_the_stream(stage: Stage) -> None:
    """The headers forbid caches and buffering proxies."""
    async with Stream(stage.app) as stream:
        await stream.any()
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"


async def test_every_frame_carries_the_servers_time(stage: Stage) -> None:
    """Freshness can be judged from each frame; a ping comes even when nothing happens."""
    await stage.feed.start()
    async with Stream(stage.app) as stream:
        await stream.next("reading")
        stage.clock.advance(1)
        await stage.feed.beat()
        ping = await stream.next("ping")
        await stage.feed.take(Push(NOW, latest=ReadingBatch.of([0], [NOW], [1.0])))
        stage.feed.flush()
        reading = await stream.next("reading")
    assert ping.data == {"time": "2026-01-31T03:00:01.000000+00:00"}
    assert reading.data["time"] == "2026-01-31T03:00:01.000000+00:00"


async def test_readings_are_merged_to_four_frames_a_second(stage: Stage) -> None:
    """A hundred pushes within one frame's time make one frame with the newest value of each point."""
    await stage.feed.start()
    async with Stream(stage.app) as stream:
        await stream.next("reading")
        for i in range(100):
            batch = ReadingBatch.of([0, 1], [NOW + i * 1_000_000] * 2, [float(i), 2.0 * i])
            await stage.feed.take(Push(NOW, latest=batch))
        assert stage.feed.ring.head == 0  # nothing is sent before its time
        stage.feed.flush()
        frame = await stream.next("reading")
    assert (frame.data["point"], frame.data["value"]) == ([0, 1], [99.0, 198.0])
    assert stage.feed.ring.head == 1


@pytest.mark.parametrize("how", ["header", "query"])
async def test_a_returning_viewer_misses_nothing(stage: Stage, how: str) -> None:
    """Last-Event-ID or ?since= brings the rows in between, in order and once, then what follows."""
    await stage.feed.start()
    await stage.happens(alert("b1"), alert("b2"), alert("b3"))
    query, headers = ("", {"Last-Event-ID": "4"}) if how == "header" else ("since=4", {})
    async with Stream(stage.app, query, headers) as stream:
        missed = [(await stream.next("alert")).id for _ in range(2)]
        await stage.happens(alert("b4"))
        following = await stream.next("alert")
    assert (missed, following.id) == (["5", "6"], "7")


async def test_the_header_goes_before_the_query(stage: Stage) -> None:
    """A browser that reconnects by itself repeats the old address; the newer row counts."""
    await stage.feed.start()
    await stage.happens(alert("b1"), alert("b2"))
    async with Stream(stage.app, "since=0", {"Last-Event-ID": "4"}) as stream:
        assert (await stream.next("alert")).id == "5"


async def test_after_a_restart_the_records_fill_the_gap(stage: Stage) -> None:
    """A new process remembers nothing, and still sends a returning viewer every row it missed."""
    stage.journal(*(alert(f"b{i}") for i in range(1, 1_203)))
    again = small(stage)
    await again.feed.start()
    async with Stream(again.app, "since=2") as stream:
        rows = [int((await stream.next("alert")).id or 0) for _ in range(1_203)]
        assert (await stream.any()).event == "reading"
        await again.happens(alert("c1"))
        rows.append(int((await stream.next("alert")).id or 0))
    assert rows == list(range(3, 1_207))


async def test_rows_that_memory_forgot_come_from_the_records(stage: Stage) -> None:
    """When the viewer's place is older than what is kept, the records have it."""
    made = small(stage, journal_rows=2)
    await made.feed.start()
    await made.happens(*(alert(f"b{i}") for i in range(9)))
    async with Stream(made.app, "since=3") as stream:
        assert [(await stream.next("alert")).id for _ in range(9)] == [str(n) for n in range(4, 13)]


@pytest.mark.parametrize(
    ("since", "reason"),
    [({"Last-Event-ID": "99"}, "unknown-row"), ({"Last-Event-ID": "abc"}, "unknown-row"),
     ({"Last-Event-ID": "0"}, "too-far-behind")],
)  # fmt: skip
async def test_a_place_that_cannot_be_taken_up_is_a_reset(
    stage: Stage, since: dict[str, str], reason: str
) -> None:
    """A row that nobody knows, or one too far back: one reset, which names the row to go on from."""
    made = small(stage, replay_rows=2)
    await made.feed.start()
    async with Stream(made.app, "", since) as stream:
        reset = await stream.next("reset")
        assert (reset.data["reason"], reset.id) == (reason, "3")
        await made.happens(alert("b1"))
        assert (await stream.next("alert")).id == "4"


async def test_a_slow_viewer_is_told_all_alerts_once_it_reads_again(stage: Stage) -> None:
    """The ring moves past a stalled viewer; it gets every journal row all the same, from memory."""
    made = small(stage, ring_frames=16)
    await made.feed.start()
    async with Stream(made.app) as slow, Stream(made.app) as quick:
        await slow.next("reading")
        await quick.next("reading")
        slow.ready.clear()
        for i in range(60):
            made.clock.advance(1)
            await made.happens(alert(f"b{i}"))
            assert (await quick.next("alert")).id == str(4 + i)
        slow.ready.set()
        assert [(await slow.next("alert")).id for _ in range(60)] == [str(4 + i) for i in range(60)]


async def test_a_slow_viewer_beyond_memory_gets_one_reset(stage: Stage) -> None:
    """What cannot be replayed is announced once; then the stream goes on."""
    made = small(stage, ring_frames=16, journal_rows=10, replay_rows=20)
    await made.feed.start()
    async with Stream(made.app) as slow:
        await slow.next("reading")
        slow.ready.clear()
        for i in range(60):
            made.clock.advance(1)
            await made.happens(alert(f"b{i}"))
            await asyncio.sleep(0)
        slow.ready.set()
        reset = await slow.next("reset")
        made.clock.advance(1)
        await made.happens(alert("c"))
        assert (await slow.next("alert")).id == "64"
    assert reset.id == "63"


async def test_a_gap_in_what_the_core_tells_is_filled(stage: Stage) -> None:
    """Rows that never came from the core are read from the records before the next one is sent."""
    await stage.feed.start()
    stage.journal(alert("lost1"), alert("lost2"))
    async with Stream(stage.app) as stream:
        await stream.next("reading")
        await stage.happens(alert("b1"))
        assert [(await stream.next("alert")).data["alert"]["id"] for _ in range(3)] == [
            "lost1",
            "lost2",
            "b1",
        ]


async def test_rows_the_core_never_tells_come_with_the_next_beat(stage: Stage) -> None:
    """A core that died after writing leaves rows in the journal; viewers see them within a second."""
    await stage.feed.start()
    async with Stream(stage.app) as stream:
        await stream.next("reading")
        stage.journal(alert("lost"))
        await stage.feed.catch_up()
        assert (await stream.next("alert")).id == "4"


async def test_a_row_told_twice_is_sent_once(stage: Stage) -> None:
    """After a reconnect the core may repeat itself; viewers do not notice."""
    await stage.feed.start()
    rows = tuple(stage.journal(alert("b1")))
    async with Stream(stage.app) as stream:
        await stream.next("reading")
        await stage.feed.take(Push(NOW, rows))
        await stage.feed.take(Push(NOW, rows))
        await stage.happens(alert("b2"))
        assert [(await stream.next("alert")).id for _ in range(2)] == ["4", "5"]


async def test_an_alert_is_shown_even_when_the_records_cannot_be_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a gap that cannot be filled the alert comes at once without an id, and in order later."""
    await stage.feed.start()
    stage.journal(alert("hidden"))
    events = stage.records.events

    def broken(**_: object) -> object:
        raise StoreError("disk is gone")

    async with Stream(stage.app) as stream:
        await stream.next("reading")
        with monkeypatch.context() as patch:
            patch.setattr(stage.records, "events", broken)
            await stage.happens(alert("b1"))
            shown = await stream.next("alert")
            assert stage.feed.state().problems == {"records": "disk is gone"}
        assert (shown.id, shown.data["alert"]["id"]) == (None, "b1")
        assert stage.records.events == events
        stage.clock.advance(1)
        await stage.feed.catch_up()
        assert [(await stream.next("alert")).id for _ in range(2)] == ["4", "5"]
    assert stage.feed.state().ready


async def test_state_is_told_when_it_changes(stage: Stage) -> None:
    """A part that fails is on the stream at once, equal states are not repeated."""
    await stage.feed.start()
    async with Stream(stage.app) as stream:
        await stream.next("reading")
        await stage.feed.beat()
        assert (await stream.any()).event == "state"
        assert (await stream.any()).event == "ping"
        stage.core.problems["broker"] = "refused the connection"
        await stage.feed.take(Push(NOW, state=stage.core.state()))
        stage.clock.advance(1)
        assert (await stream.any()).data["problems"] == {"broker": "refused the connection"}
        await stage.feed.beat()
        assert (await stream.any()).event == "ping"


async def test_viewers_come_and_go_without_a_trace(stage: Stage) -> None:
    """Two hundred viewers see the same event; when they have gone, none is left behind."""
    await stage.feed.start()
    tasks = len(asyncio.all_tasks())
    streams = [Stream(stage.app) for _ in range(200)]
    for stream in streams:
        await stream.next("reading")
    assert stage.feed.viewers == 200
    await stage.happens(alert("b1"), alert("b2"))
    for stream in streams:
        assert [(await stream.next("alert")).id for _ in range(2)] == ["4", "5"]
    for stream in streams:
        await stream.close()
    assert stage.feed.viewers == 0
    assert len(asyncio.all_tasks()) == tasks


async def test_too_many_viewers_are_told(stage: Stage) -> None:
    """Beyond the bound a viewer gets a problem document and when to come again."""
    made = small(stage, max_viewers=1)
    async with Stream(made.app) as stream:
        await stream.any()
        async with made.client() as client:
            answer = await client.get("/api/v1/stream")
    assert (answer.status_code, answer.json()["code"]) == (503, "too-many-viewers")
    assert "retry-after" in answer.headers


async def test_the_lifespan_follows_the_core_and_ends_the_streams(stage: Stage) -> None:
    """From start to stop: what the core tells arrives, and at the end every stream ends by itself."""
    async with stage.living():
        stream = Stream(stage.app)
        await stream.next("reading")
        stage.core.tell(Push(NOW, tuple(stage.journal(alert("b1")))))
        assert (await stream.next("alert")).id == "4"
    await stream.close()


async def test_a_core_that_hangs_up_is_called_again(stage: Stage) -> None:
    """The loss of the core is a problem on the stream; the next connection takes up where it was."""
    async with stage.living(), Stream(stage.app) as stream:
        await stream.next("reading")
        stage.core.hang_up()
        while "core-link" not in (state := await stream.next("state")).data["problems"]:
            pass
        assert state.data["ready"] is False
        while (await stream.next("state")).data["problems"]:
            pass
        stage.core.tell(Push(NOW, tuple(stage.journal(alert("b1")))))
        assert (await stream.next("alert")).id == "4"


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 7, 8, 9, 100])
async def test_the_end_of_the_journal_is_found(rows: int) -> None:
    """The last row is found by halving, without reading the journal."""
    made = Stage()
    made.journal(*(alert(f"b{i}") for i in range(rows)))
    assert last_row(made.records) == rows
    assert S > 0
