"""Rollups of past use, and the function that fills, reads and proves them."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """The tables, the one row of their position, and the function."""

    dependencies = [
        ("budgets", "0004_keep_a_history_of_configuration"),
        ("tracking", "0003_keep_a_history_of_providers"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageZone",
            fields=[
                (
                    "organization",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="budgets.organization",
                    ),
                ),
                ("time_zone", models.CharField(max_length=60)),
            ],
        ),
        migrations.AddField(
            model_name="costrecord",
            name="prompt_hash",
            field=models.UUIDField(
                help_text="Equal where everything that was asked is equal; no text is kept.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="FillState",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("entry_id", models.BigIntegerField(default=0)),
                ("record_id", models.BigIntegerField(default=0)),
                ("filled_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="fill_state_is_one")
                ],
            },
        ),
        migrations.CreateModel(
            name="Series",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("project_id", models.BigIntegerField()),
                ("user_id", models.BigIntegerField()),
                ("api_key_id", models.BigIntegerField()),
                ("model", models.CharField(max_length=160)),
                ("provider", models.CharField(blank=True, max_length=60)),
                ("endpoint", models.CharField(blank=True, max_length=40)),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="budgets.organization",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "series",
            },
        ),
        migrations.CreateModel(
            name="QuarterHourUsage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("calls", models.BigIntegerField()),
                ("cost_usd", models.DecimalField(decimal_places=12, max_digits=30)),
                ("input_tokens", models.BigIntegerField()),
                ("cached_input_tokens", models.BigIntegerField()),
                ("cache_write_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("reasoning_tokens", models.BigIntegerField()),
                ("attempts", models.BigIntegerField()),
                ("failed_calls", models.BigIntegerField()),
                ("starts_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="budgets.organization",
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tracking.series",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="LabelUsage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("calls", models.BigIntegerField()),
                ("cost_usd", models.DecimalField(decimal_places=12, max_digits=30)),
                ("input_tokens", models.BigIntegerField()),
                ("cached_input_tokens", models.BigIntegerField()),
                ("cache_write_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("reasoning_tokens", models.BigIntegerField()),
                ("attempts", models.BigIntegerField()),
                ("failed_calls", models.BigIntegerField()),
                ("day", models.DateField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("tag", "Tag"),
                            ("session", "Session"),
                            ("end_user", "end user"),
                            ("waste", "wasted as"),
                        ],
                        max_length=8,
                    ),
                ),
                ("label", models.CharField(max_length=160)),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="budgets.organization",
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tracking.series",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DayUsage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("calls", models.BigIntegerField()),
                ("cost_usd", models.DecimalField(decimal_places=12, max_digits=30)),
                ("input_tokens", models.BigIntegerField()),
                ("cached_input_tokens", models.BigIntegerField()),
                ("cache_write_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("reasoning_tokens", models.BigIntegerField()),
                ("attempts", models.BigIntegerField()),
                ("failed_calls", models.BigIntegerField()),
                ("day", models.DateField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="budgets.organization",
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tracking.series",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="series",
            constraint=models.UniqueConstraint(
                fields=(
                    "organization",
                    "api_key_id",
                    "model",
                    "provider",
                    "endpoint",
                    "user_id",
                    "project_id",
                ),
                name="series_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="quarterhourusage",
            constraint=models.UniqueConstraint(
                fields=("organization", "starts_at", "series"), name="quarter_hour_usage_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="labelusage",
            constraint=models.UniqueConstraint(
                fields=("organization", "kind", "day", "label", "series"), name="label_usage_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="dayusage",
            constraint=models.UniqueConstraint(
                fields=("organization", "day", "series"), name="day_usage_once"
            ),
        ),
        migrations.RunSQL(read_sql("tracking.usage", "delta"), migrations.RunSQL.noop),
        migrations.RunSQL(read_sql("tracking.usage", "begin"), migrations.RunSQL.noop),
    ]
