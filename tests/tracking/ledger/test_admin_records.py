"""Cost records in the admin."""

from __future__ import annotations

import pytest

from budgets.holds.models import JournalEntry
from budgets.tenancy.models import ApiKey
from tests import make
from tests.admin_pages import list_of, page_of, superuser, text_of
from tracking.ledger.models import CostRecord
from tracking.pricing.usage import Usage

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    return make.key(of=make.organization(), user=make.user())[0]


def test_shows_the_lines_that_add_up_the_price_and_the_journal(key: ApiKey) -> None:
    used = Usage(input_tokens=1000, cached_input_tokens=400, output_tokens=20)
    request, cost_usd = make.call(key=key, used=used, metadata={"<b>": "bold"})
    record = CostRecord.objects.get(request_id=request)

    html = text_of(superuser(), page_of(record))

    for line in record.lines:
        assert (
            f"<td>{line['dimension']}</td><td>{line['units']}</td>"
            f"<td>{line['rate_usd']}</td><td>{line['amount_usd']}</td>"
        ) in html
    assert f"<td>sum</td><td></td><td></td><td>{cost_usd:.12f}</td>" in html
    assert f'{page_of(record.price)}">gpt-4o-mini v1</a>' in html
    assert page_of(JournalEntry.objects.get(request_id=request)) in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_lists_all_attempts_of_a_request(key: ApiKey) -> None:
    request, _ = make.call(key=key)
    first = CostRecord.objects.get()
    second = make.record(
        key=key,
        request=request,
        of=first.price,
        spent=make.cost_of(usage=Usage(input_tokens=1, output_tokens=1)),
        used=Usage(input_tokens=1, output_tokens=1),
        attempt=2,
    )

    html = text_of(superuser(), page_of(second))

    assert page_of(first) in html


def test_finds_records_by_request_organization_or_model(key: ApiKey) -> None:
    request, _ = make.call(key=key)
    make.call(key=key, model="gpt-4o", asked_model="auto")
    client = superuser()

    for term, number in (
        (str(request), 1),
        ("acme", 2),
        ("gpt-4o", 1),
        ("auto", 1),
        ("gpt", 0),
        ("other", 0),
    ):
        rows = client.get(f"{list_of(CostRecord)}?q={term}").context["cl"].result_list
        assert len(rows) == number, term


def test_filters_records_by_how_they_ended(key: ApiKey) -> None:
    make.call(key=key)
    make.call(key=key, outcome="unknown", usage_source="assumed")
    client = superuser()

    for query in ("outcome__exact=unknown", "usage_source__exact=assumed"):
        rows = client.get(f"{list_of(CostRecord)}?{query}").context["cl"].result_list
        assert [row.outcome for row in rows] == ["unknown"]
