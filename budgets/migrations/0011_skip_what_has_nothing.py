"""Install the ledger's step again: it runs no statement that has nothing to do."""

from __future__ import annotations

from django.db import migrations

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """The statement drops what it makes, so it can be run again."""

    dependencies = [("budgets", "0010_requests_for_more")]

    operations = [
        migrations.RunSQL(read_sql("budgets.holds", "step"), migrations.RunSQL.noop),
    ]
