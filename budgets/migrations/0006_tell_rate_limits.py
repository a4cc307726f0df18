"""Install the ledger's step again: it tells an admitted call what is left of its rate limits."""

from __future__ import annotations

from django.db import migrations

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """The statement drops what it makes, so it can be run again."""

    dependencies = [("budgets", "0005_rules_of_calls")]

    operations = [
        migrations.RunSQL(read_sql("budgets.holds", "step"), migrations.RunSQL.noop),
    ]
