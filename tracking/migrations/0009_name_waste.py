"""One function says as what a call was wasted, for figures and for lists of calls."""

from __future__ import annotations

from django.db import migrations

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """Replace the function that fills, reads and proves the rollups; what it computes is the same."""

    dependencies = [("tracking", "0008_cached_answers")]

    operations = [
        migrations.RunSQL(read_sql("tracking.usage", "delta"), migrations.RunSQL.noop),
    ]
