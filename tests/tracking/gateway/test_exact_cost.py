"""One amount everywhere: tokens times price, to the twelfth place."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

from tests import tenants
from tests.fakes.upstream import Upstream
from tests.serving import Site
from tests.tracking.gateway.calls import call


def test_says_the_same_amount_wherever_it_says_it(site: Site, upstream: Upstream) -> None:
    alice = tenants.tenant(limit="10")
    chance = random.Random(7)  # noqa: S311  the same figures every time
    left = Fraction(10)

    with site.client(alice.text) as client:
        for number in range(6):
            tokens = [chance.randrange(1, 200_000), chance.randrange(1, 20_000)]
            cached = chance.randrange(tokens[0])
            upstream.script.usage = {
                "prompt_tokens": tokens[0],
                "completion_tokens": tokens[1],
                "total_tokens": sum(tokens),
                "prompt_tokens_details": {"cached_tokens": cached},
            }
            price = (
                (tokens[0] - cached) * Fraction(tenants.INPUT_USD)
                + cached * Fraction(tenants.CACHED_USD)
                + tokens[1] * Fraction(tenants.OUTPUT_USD)
            )
            is_streamed = bool(number % 2)

            told = call(site, alice, is_streamed=is_streamed)

            left -= price
            assert told.usage is not None
            entry, record = alice.journal()[-1], alice.records()[-1]
            amounts = [told.usage["cost"], entry.amount_usd, record.cost_usd]
            lines = [line["amount_usd"] for line in record.lines]
            if not is_streamed:
                # A stream's headers are sent before its cost is known.
                amounts += [
                    told.headers["x-cost-usd"],
                    told.headers["x-litellm-response-cost"],
                ]
                assert Fraction(told.headers["x-budget-left-usd"]) == left
            assert {Fraction(amount) for amount in amounts} == {price}
            assert sum(map(Fraction, lines)) == price
            assert len(told.usage["cost"].partition(".")[2]) == 12
            key = client.get("/v1/key").json()
            assert Fraction(key["left_usd"]) == left
            assert Fraction(key["spent_usd"]) == Fraction(10) - left
            assert Fraction(key["usage"]["today_usd"]) <= Fraction(10) - left
            assert key["held_usd"] == "0.000000000000"

    assert Decimal(left.numerator) / Decimal(left.denominator) < 10
    assert not alice.differences()
