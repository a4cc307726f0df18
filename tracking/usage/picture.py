"""A report's two charts as one PNG: cost by day, and the dearest models below one another."""

from __future__ import annotations

import io

from budgets.core.money import ZERO_USD, format_usd
from tracking.usage.report import CostReport

_MOST_MODELS = 12
_OTHERS = "other models"
_INK = "#0e5f54"
# In points. A mail shows the picture at not half of its size.
_TEXT = 17


def png_of(report: CostReport) -> bytes:
    """Draw a report for mail and for the command; the amounts stand on the bars as text.

    The drawing library is only imported here: it takes a second, and most processes never draw.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 9), dpi=150, layout="constrained")
    daily, models = figure.subplots(2, 1)

    days = [day.on for day in report.by_day]
    costs = [day.figures.cost_usd for day in report.by_day]
    daily.plot(days, costs, marker="o", markersize=3, color=_INK)
    first, last = report.days.first_on, report.days.last_on
    daily.set_title(f"Cost by day, {first} to {last} ({report.days.zone.key})", fontsize=_TEXT)
    daily.set_ylabel("US dollars", fontsize=_TEXT)
    daily.set_ylim(bottom=0)
    daily.grid(visible=True, alpha=0.3)
    daily.tick_params(axis="x", rotation=30)

    rows = [(row.model, row.figures.cost_usd) for row in report.by_model]
    if len(rows) > _MOST_MODELS:
        rest = sum((cost for _, cost in rows[_MOST_MODELS - 1 :]), ZERO_USD)
        rows = [*rows[: _MOST_MODELS - 1], (_OTHERS, rest)]
    names, costs = [name for name, _ in rows], [cost for _, cost in rows]
    bars = models.barh(names, costs, color=_INK)
    models.invert_yaxis()
    models.bar_label(bars, labels=[format_usd(cost) for cost in costs], padding=3, fontsize=_TEXT)
    title = f"Cost by model, {format_usd(report.total.cost_usd)} in all"
    models.set_title(title, fontsize=_TEXT)
    models.set_xlabel("US dollars", fontsize=_TEXT)
    models.margins(x=0.16)
    for chart in (daily, models):
        chart.spines[["top", "right"]].set_visible(False)
        chart.tick_params(labelsize=_TEXT)

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": None})
    return drawn.getvalue()
