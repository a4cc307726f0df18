"""Install the triggers that keep records and published prices as they are."""

from __future__ import annotations

from django.db import migrations

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """The ledger of calls takes no change; a price takes only its end."""

    dependencies = [("tracking", "0001_initial"), ("budgets", "0002_ledger_functions")]

    operations = [
        migrations.RunSQL(read_sql("tracking.ledger", "guards"), migrations.RunSQL.noop),
        migrations.RunSQL(read_sql("tracking.pricing", "guards"), migrations.RunSQL.noop),
    ]
