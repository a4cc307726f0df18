"""What an endpoint is: all that differs between one way of calling a model and another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeVar

from budgets.core.errors import DomainError
from budgets.http.errors import error_body
from tracking.gateway.doors.call import Event, Reply, Route
from tracking.gateway.endpoints.bodies import CallBody, read_json
from tracking.gateway.endpoints.told import Told
from tracking.gateway.estimate import Estimate, OutputRules
from tracking.pricing.book import PricedModel
from tracking.pricing.usage import Usage

Asked = TypeVar("Asked", bound=CallBody)


class Endpoint(ABC, Generic[Asked]):
    """One way of calling models. Has no state: one object serves all calls.

    ``name`` stands in records; with slashes for dots it is the address under ``/v1`` and under a
    provider's base URL. ``modes`` are the catalogue's modes of the models that it calls, ``shape``
    what its body is read as.
    """

    name: ClassVar[str]
    modes: ClassVar[frozenset[str]]
    # The form that a body is sent in.
    taken_as: ClassVar[str] = "application/json"
    # What its JSON answers look like; None where there are none.
    told_as: ClassVar[type[Told] | None]
    # In which other forms it answers. Where it does, an answer kept as JSON cannot be given again.
    other_forms: ClassVar[tuple[str, ...]] = ()
    shape: type[Asked]

    def read(self, *, body: bytes, content_type: str) -> Asked:
        """Read a request's body.

        :raises DomainError: for what is wrong with it, naming the place
        """
        return read_json(body=body, shape=self.shape)

    def authorization(self, headers: Mapping[str, str]) -> str | None:
        """Find the header that carries the caller's key."""
        return headers.get("Authorization")

    @abstractmethod
    def estimate(self, *, request: Asked, model: PricedModel, rules: OutputRules) -> Estimate:
        """Bound what the call can cost.

        :raises DomainError: if the model cannot be called so, or the plan does not allow it
        """

    def sent_as(self, *, route: Route) -> str:
        """Name the endpoint of the provider that a call goes to: another one where the provider
        does not speak this dialect."""
        return self.name

    def check(self, *, request: Asked, route: Route) -> None:
        """Refuse what the provider of this route cannot be asked, before anything is held.

        :raises UnsupportedParameter: naming the place
        """
        return

    @abstractmethod
    def parameters(self, *, request: Asked, route: Route, cap: int | None) -> dict[str, Any]:
        """Give what goes to the provider, with the output cap, without ``model`` and ``stream``."""

    def translated(self, *, request: Asked, reply: Reply) -> Reply:
        """Give a whole answer in this endpoint's dialect, where it was sent as another.

        :raises ProviderInterrupted: if there is no telling what the provider said
        """
        return reply

    @abstractmethod
    def usage(self, *, request: Asked, reply: Reply) -> Usage | None:
        """Read what a whole answer used; None if the provider does not report it."""

    def texts(self, *, reply: Reply) -> Sequence[str] | None:
        """Give the texts of an answer, to be counted where its usage is not reported.

        None where what was used cannot be counted by texts: then the whole hold is charged.
        """
        return ()

    def measured(
        self, *, request: Asked, reply: Reply, model: PricedModel
    ) -> tuple[Usage, bool] | None:
        """Measure what was used where no report of it is made; and say whether that is exact.

        None where nothing can be measured: then the texts of the answer are counted.
        """
        return None

    def service_tier(self, *, request: Asked, reply: Reply) -> str:
        """Name the service tier that the call was served in; empty for the standard one."""
        return ""

    def finish_reason(self, *, reply: Reply) -> str:
        """Say why the provider ended the answer."""
        return ""

    def provider_request_id(self, *, reply: Reply) -> str:
        """Find the provider's own name for the call."""
        return str(reply.body.get("id") or "")

    def told(self, *, reply: Reply, model: str, cost_usd: Decimal) -> Reply:
        """Write the answer as the client gets it: under the model's name here, with its cost."""
        return reply

    def events(self, *, request: Asked, model: str) -> EventReader:
        """Make the reader of one streamed answer; only for endpoints whose body has ``stream``."""
        raise TypeError(f"{self.name} does not stream")

    def error(self, error: DomainError, *, request_id: str | None) -> Mapping[str, Any]:
        """Write an error in the endpoint's dialect."""
        return error_body(error)


class EventReader(ABC):
    """Reads one streamed answer as it comes: what the client gets of it, and what was used."""

    usage: Usage | None = None
    finish_reason: str = ""
    provider_request_id: str = ""
    service_tier: str = ""
    # Whether anything came that stands for output; until then a failure can still be a status.
    has_begun: bool = False

    @abstractmethod
    def read(self, event: dict[str, Any]) -> bytes:
        """Note an event and give what goes to the client now; empty for what is kept back."""

    def pass_on(self, event: Event) -> bytes:
        """Do as ``read``; where an event's bytes can go on as they came, it costs less."""
        return self.read(event.body)

    @property
    def is_whole(self) -> bool:
        """Whether the answer came to its end: it says what was used, or something and why it ended."""
        texts = self.texts
        says = texts is None or any(texts)
        return self.usage is not None or (says and bool(self.finish_reason))

    @property
    @abstractmethod
    def texts(self) -> Sequence[str] | None:
        """The texts so far, to be counted where usage is not reported; None if they do not say it."""

    @abstractmethod
    def ended(self, *, cost_usd: Decimal | None) -> bytes:
        """Give what was kept back until the charge is durable, and the end of the stream."""

    @abstractmethod
    def failed(self, error: DomainError) -> bytes:
        """Write an error in mid-stream, and the end of the stream."""
