"""Install the functions and triggers that keep budgets exact."""

from __future__ import annotations

from django.db import migrations

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """Windows and matching first: the ledger's step calls them."""

    dependencies = [("budgets", "0001_initial")]

    operations = [
        migrations.RunSQL(read_sql("budgets.limits", "windows"), migrations.RunSQL.noop),
        migrations.RunSQL(read_sql("budgets.holds", "guards"), migrations.RunSQL.noop),
        migrations.RunSQL(read_sql("budgets.holds", "step"), migrations.RunSQL.noop),
        migrations.RunSQL(read_sql("budgets.holds", "expire"), migrations.RunSQL.noop),
        migrations.RunSQL(read_sql("budgets.holds", "recount"), migrations.RunSQL.noop),
        migrations.RunSQL(read_sql("budgets.holds", "adjust"), migrations.RunSQL.noop),
        migrations.RunSQL(read_sql("budgets.holds", "seals"), migrations.RunSQL.noop),
    ]
