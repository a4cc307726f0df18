"""How figures are written for programs: money as text with twelve places, instants in UTC."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from budgets.core.money import USD_PLACES
from tracking.usage.comparison import Compared
from tracking.usage.names import Name
from tracking.usage.terms import By, Figures


class UsdField(serializers.DecimalField):
    """An amount in USD, as text with twelve places."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=30, decimal_places=USD_PLACES, **kwargs)


class RatioField(serializers.DecimalField):
    """A part of a whole, as text with six places: ``0.250000`` is a quarter."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=30, decimal_places=6, **kwargs)


class FiguresSerializer(serializers.Serializer[Any]):
    """What some calls add up to. Cached input is part of the input, reasoning of the output."""

    cost_usd = UsdField()
    calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    cached_input_tokens = serializers.IntegerField()
    cache_write_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    reasoning_tokens = serializers.IntegerField()
    attempts = serializers.IntegerField()
    failed_calls = serializers.IntegerField()
    usd_per_call = UsdField(allow_null=True)


class PeriodSerializer(serializers.Serializer[Any]):
    """Which days were counted, in the organization's time zone, and the instants they span."""

    first_on = serializers.DateField()
    last_on = serializers.DateField()
    days = serializers.IntegerField(source="count")
    time_zone = serializers.CharField(source="zone.key")
    starts_at = serializers.DateTimeField(source="period.starts_at")
    ends_at = serializers.DateTimeField(source="period.ends_at")


class TotalSerializer(serializers.Serializer[Any]):
    """A period's figures in all; ``in_flight`` is what is held for calls under way now."""

    organization = serializers.CharField()
    period = PeriodSerializer()
    total = FiguresSerializer()
    previous = FiguresSerializer(required=False, help_text="Only with compare=previous.")
    change_usd = UsdField(required=False)
    change = RatioField(required=False, allow_null=True)
    in_flight_calls = serializers.IntegerField()
    in_flight_usd = UsdField()


class _ComparedSerializer(FiguresSerializer):
    share = RatioField(allow_null=True, help_text="Part of the total cost.")
    previous = FiguresSerializer(required=False, help_text="Only with compare=previous.")
    change_usd = UsdField(required=False)
    change = RatioField(required=False, allow_null=True)


class ByModelSerializer(_ComparedSerializer):
    """One model, by the name that calls were admitted under."""

    model = serializers.CharField()


class ByUserSerializer(_ComparedSerializer):
    """One person."""

    user_id = serializers.IntegerField()
    name = serializers.CharField()
    email = serializers.EmailField()


class ByProjectSerializer(_ComparedSerializer):
    """One project."""

    project_id = serializers.IntegerField()
    name = serializers.CharField()
    slug = serializers.CharField()


class ByKeySerializer(_ComparedSerializer):
    """One API key, with what may be shown of its text."""

    api_key_id = serializers.IntegerField()
    name = serializers.CharField()
    masked = serializers.CharField()


class ByProviderSerializer(_ComparedSerializer):
    """One provider: of the last attempt, empty where none was recorded."""

    provider = serializers.CharField()


class ByEndpointSerializer(_ComparedSerializer):
    """One endpoint of the gateway."""

    endpoint = serializers.CharField()


class ByTagSerializer(_ComparedSerializer):
    """One tag. A call has several or none, so shares need not add up to one."""

    tag = serializers.CharField()


class BySessionSerializer(_ComparedSerializer):
    """One session."""

    session = serializers.CharField()


class ByEndUserSerializer(_ComparedSerializer):
    """One end user, by the name that the application gave."""

    end_user = serializers.CharField()


ROWS: dict[By, type[_ComparedSerializer]] = {
    By.MODEL: ByModelSerializer,
    By.USER: ByUserSerializer,
    By.PROJECT: ByProjectSerializer,
    By.API_KEY: ByKeySerializer,
    By.PROVIDER: ByProviderSerializer,
    By.ENDPOINT: ByEndpointSerializer,
    By.TAG: ByTagSerializer,
    By.SESSION: BySessionSerializer,
    By.END_USER: ByEndUserSerializer,
}
_NAMED = {
    By.USER: ("user_id", "name", "email"),
    By.PROJECT: ("project_id", "name", "slug"),
    By.API_KEY: ("api_key_id", "name", "masked"),
}


class DaySerializer(FiguresSerializer):
    """One day of the organization's time zone."""

    date = serializers.DateField()


class HourSerializer(FiguresSerializer):
    """One hour of the organization's clock, by the instant at which it begins."""

    starts_at = serializers.DateTimeField()


class EfficiencySerializer(serializers.Serializer[Any]):
    """What one model gives for its money; null where a figure would be divided by nothing."""

    model = serializers.CharField()
    cost_usd = UsdField(source="figures.cost_usd")
    calls = serializers.IntegerField(source="figures.calls")
    tokens = serializers.IntegerField(source="figures.tokens")
    usd_per_token = UsdField(allow_null=True)
    usd_per_1k_output_tokens = UsdField(allow_null=True)
    usd_per_call = UsdField(source="figures.usd_per_call", allow_null=True)
    tokens_per_call = RatioField(allow_null=True)
    cached_share = RatioField(allow_null=True)
    failed_share = RatioField(allow_null=True)


class _CostSerializer(serializers.Serializer[Any]):
    cost = UsdField(source="figures.cost_usd")


class ReportDaySerializer(_CostSerializer):
    """A day's cost."""

    date = serializers.DateField(source="on")


class ReportModelSerializer(_CostSerializer):
    """A model's cost and calls."""

    model = serializers.CharField()
    requests = serializers.IntegerField(source="figures.calls")


class ReportUserSerializer(_CostSerializer):
    """A person's cost and calls."""

    user_id = serializers.IntegerField()
    name = serializers.CharField()
    email = serializers.EmailField()
    requests = serializers.IntegerField(source="figures.calls")


class ReportEfficiencySerializer(serializers.Serializer[Any]):
    """What a model's tokens cost, and how many a call has."""

    model = serializers.CharField()
    cost_per_token = UsdField(source="usd_per_token", allow_null=True)
    avg_tokens_per_request = RatioField(source="tokens_per_call", allow_null=True)


class ReportSerializer(serializers.Serializer[Any]):
    """Everything about a period in one answer."""

    organization = serializers.CharField()
    period = PeriodSerializer(source="report.days")
    total_cost = UsdField(source="report.total.cost_usd")
    daily_breakdown = ReportDaySerializer(source="report.by_day", many=True)
    cost_by_model = ReportModelSerializer(source="report.by_model", many=True)
    cost_by_user = ReportUserSerializer(source="report.by_user", many=True)
    cost_efficiency = ReportEfficiencySerializer(source="report.efficiency", many=True)
    alerts = serializers.ListField(child=serializers.CharField(), source="report.alerts")


class ForecastSerializer(serializers.Serializer[Any]):
    """The total at the end; the truth is meant to lie between low and high four times in five."""

    expected_usd = UsdField()
    low_usd = UsdField()
    high_usd = UsdField()
    last_on = serializers.DateField()
    reached_on = serializers.DateField(
        allow_null=True, help_text="When the limit is expected to be reached."
    )
    earliest_on = serializers.DateField(
        allow_null=True, help_text="When the limit is reached if it goes as high as that."
    )
    days_known = serializers.IntegerField()


class OutlookSerializer(serializers.Serializer[Any]):
    """Where this month's spend or a budget's is heading; a reason where that cannot be told."""

    name = serializers.CharField()
    budget_id = serializers.IntegerField(allow_null=True)
    window = serializers.CharField()
    spent_usd = UsdField()
    limit_usd = UsdField(allow_null=True)
    forecast = ForecastSerializer(allow_null=True)
    reason = serializers.CharField(allow_null=True)


class ForecastsSerializer(serializers.Serializer[Any]):
    """This month's spend of the calls asked for, then each dollar budget that applies."""

    organization = serializers.CharField()
    results = OutlookSerializer(many=True)


class WastedSerializer(serializers.Serializer[Any]):
    """One kind of waste. Duplicates may be wasted in another way too; the others do not overlap."""

    kind = serializers.CharField()
    meaning = serializers.CharField()
    wasted_usd = UsdField()
    calls = serializers.IntegerField()


class DuplicateSerializer(serializers.Serializer[Any]):
    """A prompt that was sent again to the same model; what all but its first call cost."""

    prompt_hash = serializers.UUIDField()
    model = serializers.CharField()
    calls = serializers.IntegerField()
    wasted_usd = UsdField()


class WasteSerializer(serializers.Serializer[Any]):
    """What was wasted, and the prompts whose repetition cost most."""

    organization = serializers.CharField()
    period = PeriodSerializer()
    results = WastedSerializer(many=True)
    duplicates = DuplicateSerializer(many=True)
    total = FiguresSerializer()


class CallSerializer(serializers.Serializer[Any]):
    """One call; its receipt is at ``/spending/calls/<request_id>/``."""

    request_id = serializers.UUIDField()
    admitted_at = serializers.DateTimeField()
    model = serializers.CharField()
    provider = serializers.CharField(allow_null=True)
    user_id = serializers.IntegerField()
    api_key_id = serializers.IntegerField()
    cost_usd = UsdField()
    ending = serializers.CharField()
    attempts = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True)
    input_tokens = serializers.IntegerField()
    cached_input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    duration_ms = serializers.IntegerField(allow_null=True)


class CallsSerializer(serializers.Serializer[Any]):
    """A page of calls, newest first; ``next`` is the address of the one with older calls."""

    organization = serializers.CharField()
    period = PeriodSerializer()
    next = serializers.CharField(allow_null=True)
    results = CallSerializer(many=True)


def row_of(row: Compared, *, by: By, name: Name) -> dict[str, Any]:
    """Put a row's name, figures and comparison side by side, for the serializer of its kind."""
    names = (
        dict(zip(_NAMED[by], (name.key, name.name, name.detail), strict=True))
        if (by in _NAMED)
        else {str(by): row.key}
    )
    return names | figures_row(row.figures) | {"share": row.share} | comparison_of(row)


def figures_row(figures: Figures) -> dict[str, Any]:
    """Put figures side by side with what follows from them."""
    return {name: getattr(figures, name) for name in FIGURES}


def comparison_of(row: Compared) -> dict[str, Any]:
    """Give what is said of the period before; nothing where nothing is compared."""
    if row.previous is None:
        return {}
    return {"previous": row.previous, "change_usd": row.change_usd, "change": row.change}


FIGURES = tuple(FiguresSerializer().fields)
