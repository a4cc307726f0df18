"""What a call was before is only looked up where it was there before."""

from __future__ import annotations

from django.db import migrations

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """Replace the function that fills, reads and proves the rollups; what it computes is the same."""

    dependencies = [("tracking", "0010_the_door_of_a_provider")]

    operations = [
        migrations.RunSQL(read_sql("tracking.usage", "delta"), migrations.RunSQL.noop),
    ]
