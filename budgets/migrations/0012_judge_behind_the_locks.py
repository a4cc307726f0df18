"""Install the ledger's step and its recount again: both judge by the clock behind their locks."""

from __future__ import annotations

from django.db import migrations

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """The statements drop what they make, so they can be run again."""

    dependencies = [("budgets", "0011_skip_what_has_nothing")]

    operations = [
        migrations.RunSQL(read_sql("budgets.holds", "step"), migrations.RunSQL.noop),
        migrations.RunSQL(read_sql("budgets.holds", "recount"), migrations.RunSQL.noop),
    ]
