"""Install the ledger's step again: it reads every table by an index, however small it is."""

from __future__ import annotations

from django.db import migrations

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """The statement drops what it makes, so it can be run again."""

    dependencies = [("budgets", "0008_alerts")]

    operations = [
        migrations.RunSQL(read_sql("budgets.holds", "step"), migrations.RunSQL.noop),
    ]
