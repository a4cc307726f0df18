"""Tenants for tests that commit: each its own organization, plan, key and budget."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from budgets.holds.models import Hold, JournalEntry
from budgets.holds.queries import Difference, differences
from budgets.limits.models import Balance, Budget
from budgets.tenancy.models import ApiKey, Organization
from tests import make
from tracking.gateway.connections import connect_provider, put_provider
from tracking.gateway.models import Provider
from tracking.ledger.models import CostRecord
from tracking.pricing.models import CatalogModel, Price
from tracking.pricing.operations import Publication, publish_price
from tracking.pricing.rates import Rates

# Odd on purpose: no product of these with a token count is round before the twelfth place.
INPUT_USD = "0.000000123457"
CACHED_USD = "0.000000061728"
OUTPUT_USD = "0.000001234567"
MODEL = "test/plain"
# A model that nothing listens for, one whose provider nobody has connected, one without a price,
# one that does not chat, and one that costs a whole millidollar per token of output.
GONE, UNCONNECTED, UNPRICED, NO_CHAT = "gone/plain", "nowhere/plain", "test/unpriced", "test/embed"
ROUND = "test/round"
# One that is sold in tiers, and looks and listens.
MULTIMODAL = "test/multimodal"
MULTIMODAL_RATES = {
    "input": "0.000000250001",
    "cached_input": "0.000000025003",
    "output": "0.000001000007",
    "image_input": "0.000000500009",
    "audio_input": "0.000004000011",
    "audio_output": "0.000008000013",
    "input@priority": "0.000000500017",
    "output@priority": "0.000002000019",
    "input@flex": "0.000000125021",
    "output@flex": "0.000000500023",
}
# The built-in demo, one that only answers as a response, and one that is called by messages.
DEMO, RESPONDING, WRITING = "demo/small", "test/responding", "claude/plain"
REASONING_USD, WRITE_USD, WRITE_1H_USD = "0.000002345671", "0.000000154321", "0.000000246913"
# The same as MODEL, but called through the provider library.
BY_LIBRARY = "library/plain"

# One for each of the endpoints that are no chat, by its mode and its rates.
BY_MODE: dict[str, tuple[str, dict[str, str]]] = {
    "test/completion": ("completion", {"input": "0.000001500007", "output": "0.000002000011"}),
    "test/embedding": ("embedding", {"input": "0.000000020003"}),
    "test/moderation": ("moderation", {"input": "0"}),
    "test/embedding-queries": ("embedding", {"input_per_query": "0.000100000007"}),
    "test/embedding-characters": ("embedding", {"input_per_character": "0.000000025003"}),
    "test/rerank": ("rerank", {"input": "0.000000050021"}),
    "test/rerank-searches": ("rerank", {"input_per_query": "0.002000000003"}),
    "demo/embed": ("embedding", {"input": "0.000000020011"}),
    "demo/image": ("image_generation", {"output_per_image": "0.020000000009"}),
    "test/image": (
        "image_generation",
        {"output_per_image": "0.080000000003", "output_per_image:hd/1024x1024": "0.040000000007"},
    ),
    "test/image-tokens": (
        "image_generation",
        {"input": "0.000005000003", "image_output": "0.000040000009"},
    ),
    "test/whisper": ("audio_transcription", {"input_per_second": "0.000100000013"}),
    "test/transcribe": (
        "audio_transcription",
        {"audio_input": "0.000006000001", "input": "0.000002500003", "output": "0.000010000007"},
    ),
    "test/tts": ("audio_speech", {"input_per_character": "0.000015000011"}),
    "test/tts-tokens": (
        "audio_speech",
        {"input": "0.000000600007", "audio_output": "0.000012000013"},
    ),
}
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organization with one member's key, and what the ledger says of it."""

    organization: Organization
    key: ApiKey
    text: str
    budget: Budget | None

    @property
    def headers(self) -> dict[str, str]:
        """What its calls carry."""
        return {"Authorization": f"Bearer {self.text}"}

    def journal(self) -> list[JournalEntry]:
        """Its amounts, oldest first."""
        return list(JournalEntry.objects.for_organization(self.organization).order_by("id"))

    def records(self) -> list[CostRecord]:
        """Its calls, oldest first."""
        return list(CostRecord.objects.for_organization(self.organization).order_by("id"))

    def holds(self) -> list[Hold]:
        """Its calls under way."""
        return list(Hold.objects.for_organization(self.organization))

    def balances(self) -> list[Balance]:
        """Its balances in dollars."""
        return list(Balance.objects.for_organization(self.organization).filter(unit="usd"))

    def differences(self) -> list[Difference]:
        """Its balances that are not what its holds and its journal add up to."""
        return [d for d in differences() if d.organization_id == self.organization.pk]

    def the_call(self) -> tuple[JournalEntry, CostRecord]:
        """The one call it has made, which must be over and agree with itself."""
        assert not self.holds()
        (entry,), (record,) = self.journal(), self.records()
        assert entry.request_id == record.request_id
        assert entry.amount_usd == record.cost_usd
        assert not self.differences()
        return entry, record


def tenant(
    *,
    limit: str | None = "10",
    window: str = "total",
    limits: Sequence[dict[str, Any]] = (),
    key: dict[str, Any] | None = None,
    **plan: Any,
) -> Tenant:
    """Make a tenant with a budget in dollars (None: unlimited) and further limits by unit."""
    number = next(_numbers)
    owner = make.user(name=f"alice-{number}")
    own_plan = make.plan(code=f"plan-{number}", **plan)
    organization = make.organization(slug=f"tenant-{number}", owner=owner, on_plan=own_plan)
    budget = limit and make.budget(
        organization=organization, limit=limit, name=f"Budget {number}", window=window
    )
    for further in limits:
        make.budget(organization=organization, **further)
    api_key, text = make.key(of=organization, user=owner, **(key or {}))
    return Tenant(organization, api_key, text, budget or None)


def list_models(*, upstream_url: str) -> None:
    """List the models of these tests, and connect their provider."""
    connect_provider(
        name="test",
        kind=Provider.Kind.OPENAI_COMPATIBLE,
        base_url=upstream_url,
        key="sk-upstream-secret",
    )
    by_library = Provider(
        name="library",
        kind=Provider.Kind.OPENAI_COMPATIBLE,
        base_url=upstream_url,
        door=Provider.Door.LIBRARY,
    )
    put_provider(provider=by_library, key="sk-upstream-secret")
    connect_provider(
        # Nothing listens on the port of "discard", and this machine's firewalls leave it alone.
        name="gone",
        kind=Provider.Kind.OPENAI_COMPATIBLE,
        base_url="http://127.0.0.1:9/v1",
    )
    for name in (MODEL, BY_LIBRARY, GONE, UNCONNECTED):
        _list(name, {"input": INPUT_USD, "cached_input": CACHED_USD, "output": OUTPUT_USD})
    connect_provider(name="demo", kind=Provider.Kind.DEMO)
    usual = {"input": INPUT_USD, "cached_input": CACHED_USD, "output": OUTPUT_USD}
    _list(DEMO, usual)
    connect_provider(
        name="claude",
        kind=Provider.Kind.ANTHROPIC_COMPATIBLE,
        base_url=upstream_url,
        key="sk-ant-secret",
    )
    writes = {"cache_write": WRITE_USD, "cache_write_1h": WRITE_1H_USD}
    _list(WRITING, {**usual, **writes, "reasoning": REASONING_USD})
    _list(RESPONDING, {**usual, "reasoning": REASONING_USD}, mode=CatalogModel.Mode.RESPONSES)
    _list(ROUND, {"input": "0", "output": "0.001"})
    _list(MULTIMODAL, MULTIMODAL_RATES)
    _list(NO_CHAT, {"input": INPUT_USD, "output": OUTPUT_USD}, mode=CatalogModel.Mode.EMBEDDING)
    _list(UNPRICED, {})
    for name, (mode, rates) in BY_MODE.items():
        _list(name, rates, mode=mode)


def list_faulty(addresses: Mapping[str, str]) -> None:
    """List models that are called at addresses of their own."""
    for name, address in addresses.items():
        connect_provider(
            name=name.partition("/")[0], kind=Provider.Kind.OPENAI_COMPATIBLE, base_url=address
        )
        _list(name, {"input": INPUT_USD, "cached_input": CACHED_USD, "output": OUTPUT_USD})


def _list(name: str, per_unit: dict[str, str], **fields: Any) -> None:
    provider = name.partition("/")[0]
    listed = CatalogModel.objects.create(
        name=name,
        provider=provider,
        listed_at=make.NOW,
        context_window=100_000,
        max_output_tokens=16_384,
        **fields,
    )
    if per_unit:
        publish_price(
            model=listed,
            rates=Rates(per_unit={kind: Decimal(rate) for kind, rate in per_unit.items()}),
            publication=Publication(source=Price.Source.STATED, at=make.NOW),
        )
