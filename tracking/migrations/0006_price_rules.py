"""Price rules of the site, of plans and of organizations, with their history."""

from __future__ import annotations

import django.contrib.postgres.constraints
import django.db.models.deletion
import django.db.models.functions.comparison
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """The table and its history, the triggers, and the rule that a call was charged by."""

    dependencies = [
        ("budgets", "0004_keep_a_history_of_configuration"),
        ("tracking", "0005_what_the_cache_saved"),
    ]

    operations = [
        migrations.CreateModel(
            name="PriceRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "model_pattern",
                    models.CharField(
                        blank=True,
                        help_text="Such as gpt-4o or openai/*. Empty: every model.",
                        max_length=160,
                    ),
                ),
                (
                    "factor",
                    models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True),
                ),
                (
                    "rates",
                    models.JSONField(
                        blank=True,
                        help_text="USD per single unit, as decimal text, by dimension.",
                        null=True,
                    ),
                ),
                ("valid_from", models.DateTimeField()),
                ("valid_to", models.DateTimeField(blank=True, null=True)),
                (
                    "note",
                    models.CharField(
                        blank=True, help_text="Why; kept with the rule.", max_length=240
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="price_rules",
                        to="budgets.organization",
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="price_rules",
                        to="budgets.plan",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="costrecord",
            name="price_rule",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="What made the rates of the lines differ from the list price.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="cost_records",
                to="tracking.pricerule",
            ),
        ),
        migrations.CreateModel(
            name="PriceRuleEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.BigIntegerField()),
                (
                    "model_pattern",
                    models.CharField(
                        blank=True,
                        help_text="Such as gpt-4o or openai/*. Empty: every model.",
                        max_length=160,
                    ),
                ),
                (
                    "factor",
                    models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True),
                ),
                (
                    "rates",
                    models.JSONField(
                        blank=True,
                        help_text="USD per single unit, as decimal text, by dimension.",
                        null=True,
                    ),
                ),
                ("valid_from", models.DateTimeField()),
                ("valid_to", models.DateTimeField(blank=True, null=True)),
                (
                    "note",
                    models.CharField(
                        blank=True, help_text="Why; kept with the rule.", max_length=240
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="budgets.organization",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        related_query_name="+",
                        to="tracking.pricerule",
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="budgets.plan",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddConstraint(
            model_name="pricerule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("organization__isnull", True), ("plan__isnull", True), _connector="OR"
                ),
                name="price_rule_has_at_most_one_owner",
                violation_error_message="A price rule is for an organization or for a plan.",
            ),
        ),
        migrations.AddConstraint(
            model_name="pricerule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("factor__isnull", True), ("rates__isnull", False)),
                    models.Q(("factor__isnull", False), ("rates__isnull", True)),
                    _connector="OR",
                ),
                name="price_rule_is_factor_or_rates",
                violation_error_message="A price rule changes the list price or has rates of its own.",
            ),
        ),
        migrations.AddConstraint(
            model_name="pricerule",
            constraint=models.CheckConstraint(
                condition=models.Q(("factor__isnull", True), ("factor__gte", 0), _connector="OR"),
                name="price_rule_factor_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="pricerule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rates__isnull", True),
                    models.Q(
                        models.Q(("model_pattern", ""), _negated=True),
                        models.Q(("model_pattern__contains", "*"), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="price_rule_rates_are_of_one_model",
                violation_error_message="Rates of its own are for one model: name it.",
            ),
        ),
        migrations.AddConstraint(
            model_name="pricerule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_to__isnull", True),
                    ("valid_to__gte", models.F("valid_from")),
                    _connector="OR",
                ),
                name="price_rule_ends_after_start",
            ),
        ),
        migrations.AddConstraint(
            model_name="pricerule",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    (
                        models.Func(
                            django.db.models.functions.comparison.Coalesce("organization", 0),
                            django.db.models.functions.comparison.Coalesce("organization", 0),
                            models.Value("[]"),
                            function="int8range",
                        ),
                        "&&",
                    ),
                    (
                        models.Func(
                            django.db.models.functions.comparison.Coalesce("plan", 0),
                            django.db.models.functions.comparison.Coalesce("plan", 0),
                            models.Value("[]"),
                            function="int8range",
                        ),
                        "&&",
                    ),
                    (
                        models.Func(
                            models.Func(
                                "model_pattern", models.Value(0), function="hashtextextended"
                            ),
                            models.Func(
                                "model_pattern", models.Value(0), function="hashtextextended"
                            ),
                            models.Value("[]"),
                            function="int8range",
                        ),
                        "&&",
                    ),
                    (
                        models.Func(
                            "valid_from", "valid_to", models.Value("[)"), function="tstzrange"
                        ),
                        "&&",
                    ),
                ],
                name="price_rules_exclude_each_other",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pricerule",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "tracking_priceruleevent" ("created_at", "factor", "id", "model_pattern", "note", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "rates", "valid_from", "valid_to") VALUES (NEW."created_at", NEW."factor", NEW."id", NEW."model_pattern", NEW."note", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."plan_id", NEW."rates", NEW."valid_from", NEW."valid_to"); RETURN NULL;',
                    hash="b2dd521b04a107923b32397fc06d4503f341a690",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_fb1ec",
                    table="tracking_pricerule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pricerule",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "tracking_priceruleevent" ("created_at", "factor", "id", "model_pattern", "note", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "rates", "valid_from", "valid_to") VALUES (NEW."created_at", NEW."factor", NEW."id", NEW."model_pattern", NEW."note", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."plan_id", NEW."rates", NEW."valid_from", NEW."valid_to"); RETURN NULL;',
                    hash="fade9042df1c4f432db888b04ae4af24476b0af7",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_af2f2",
                    table="tracking_pricerule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pricerule",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "tracking_priceruleevent" ("created_at", "factor", "id", "model_pattern", "note", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "rates", "valid_from", "valid_to") VALUES (OLD."created_at", OLD."factor", OLD."id", OLD."model_pattern", OLD."note", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."plan_id", OLD."rates", OLD."valid_from", OLD."valid_to"); RETURN NULL;',
                    hash="afeafa6cddabd9ff4472c55056fd2e172188c09a",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_8ade8",
                    table="tracking_pricerule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="priceruleevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="c1abf97cf1a6a0238e9463e25e92fb6a434d4b44",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_86b33",
                    table="tracking_priceruleevent",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(
            read_sql("tracking.pricing", "price_rule_guards"), migrations.RunSQL.noop
        ),
    ]
