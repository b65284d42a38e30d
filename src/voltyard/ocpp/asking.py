"""Our calls to one charger, and what it answers to them; no answer is ever answered but by 2.1."""

from collections.abc import Callable
from itertools import count

import msgspec

from voltyard.chargers.commands import Command, CommandResult
from voltyard.chargers.model import StationRef
from voltyard.clock import Clock
from voltyard.errors import ChargerRefused, ChargerTimeout
from voltyard.ocpp import framing
from voltyard.ocpp.framing import CallError, CallRejected, CallResult, ResultError
from voltyard.ocpp.journal import Journal
from voltyard.ocpp.outbox import Outbox, Pending, Send
from voltyard.ocpp.ports import Chargers
from voltyard.ocpp.routing import Dialect, Outgoing

_encode = msgspec.json.Encoder().encode


class Asker:
    """``aside`` sends what answers nothing; ``start`` runs the outbox when there is work."""

    __slots__ = (
        "_aside",
        "_chargers",
        "_clock",
        "_dialect",
        "_id_prefix",
        "_ids",
        "_journal",
        "_station",
        "outbox",
        "triggered",
    )

    def __init__(
        self,
        station: StationRef,
        dialect: Dialect,
        chargers: Chargers,
        clock: Clock,
        journal: Journal,
        *,
        send: Send,
        start: Callable[[], None],
        aside: Callable[[bytes], None],
    ) -> None:
        self.triggered: set[str] = set()
        self.outbox = Outbox(clock, send, start, journal.called)
        self._station = station
        self._dialect = dialect
        self._chargers = chargers
        self._clock = clock
        self._journal = journal
        self._aside = aside
        self._ids = count(1)
        self._id_prefix = f"{int(clock.now().timestamp() * 1000):x}-"

    async def send(self, command: Command, *, timeout_s: float) -> CommandResult:
        """See ``StationLink.send``. A command that takes several calls stops at the first error."""
        calls, combine = self._dialect.express(command, self._clock.now())
        results = [await self._call(outgoing, timeout_s) for outgoing in calls]
        return combine(results)

    async def _call(self, outgoing: Outgoing, timeout_s: float) -> CommandResult:
        message_id = f"{self._id_prefix}{next(self._ids)}"
        payload = _encode(outgoing.request)
        pending = Pending(
            message_id,
            outgoing.action,
            framing.call(message_id, outgoing.action, payload),
            timeout_s,
            outgoing.replaces,
            outgoing.secret,
        )
        if outgoing.triggers is not None:
            self.triggered.add(outgoing.triggers)
        try:
            answer = await self.outbox.call(pending)
        except ChargerTimeout as error:
            self._flag("no_answer", f"{outgoing.action}: {error.detail}")
            raise
        try:
            response = outgoing.reader.read(answer, self._dialect.words, self._flag)
        except CallRejected as error:
            self._flag("answer_unreadable", f"{outgoing.action}: {error.description}")
            self._refuse(pending, error)
            raise ChargerRefused(
                "the charger's answer makes no sense", detail=error.description
            ) from None
        result = outgoing.answer(response)
        return CommandResult(result.status, result.word, result.detail, pending.latency_ms)

    def _refuse(self, pending: Pending, error: CallRejected) -> None:
        """OCPP-J 2.1: whoever answered is told that nothing can be made of it."""
        if not self._dialect.words.sends:
            return
        reply = framing.result_error(pending.message_id, error.word, error.description)
        self._journal.note(
            self._clock.now(),
            "out",
            "error",
            pending.message_id,
            pending.action,
            error.description.encode(),
            error_code=error.word,
        )
        self._aside(reply)

    def heard(self, frame: CallResult | CallError | ResultError) -> None:
        """What the charger says to a call of ours, or to an answer."""
        if isinstance(frame, CallResult):
            self._result(frame)
        elif isinstance(frame, CallError):
            self._error(frame)
        else:
            self._result_error(frame)

    def _result(self, frame: CallResult) -> None:
        pending = self.outbox.awaited(frame.message_id)
        if pending is None:
            self._foreign(frame.message_id, bytes(frame.payload))
            return
        self._journal.outcome(pending, "result", bytes(frame.payload), None)
        self.outbox.answer(pending, frame.payload)

    def _error(self, frame: CallError) -> None:
        pending = self.outbox.awaited(frame.message_id)
        if pending is None:
            self._foreign(frame.message_id, frame.word.encode())
            return
        self._journal.outcome(pending, "error", frame.description.encode(), frame.word)
        self.outbox.refuse(pending, frame.word, frame.description)

    def _result_error(self, frame: ResultError) -> None:
        """What we answered was stored and stands; the charger's trouble with it is noted."""
        self._flag("answer_refused", f"{frame.word} {frame.description}")
        self._journal.note(
            self._clock.now(),
            "in",
            "error",
            frame.message_id[:64],
            "",
            frame.description.encode(),
            error_code=frame.word,
            flags=("answer_refused",),
        )

    def _foreign(self, message_id: str, payload: bytes) -> None:
        """Late, or to nothing we asked: never answered."""
        self._flag("answer_unexpected", message_id[:64])
        self._journal.note(
            self._clock.now(),
            "in",
            "late",
            message_id[:64],
            "",
            payload,
            flags=("answer_unexpected",),
        )

    def _flag(self, name: str, detail: str) -> None:
        self._chargers.flag(self._station, name, detail[:200])
