"""Add aliases, several keys of one provider, timeouts of its own, and the health of routes."""

from __future__ import annotations

import django.core.validators
import django.db.models.deletion
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from budgets.core.sql import read_sql


class Migration(migrations.Migration):
    """The tables, and the triggers that make copies of them in memory stale."""

    dependencies = [
        ("budgets", "0006_tell_rate_limits"),
        ("tracking", "0006_price_rules"),
    ]

    operations = [
        migrations.CreateModel(
            name="Alias",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="What clients send as the model. It may be a catalogue model's own name.",
                        max_length=160,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z0-9][A-Za-z0-9_.:/-]*$",
                                "Letters, digits and _ . : / - without spaces",
                            )
                        ],
                    ),
                ),
                (
                    "falls_back_on_failure",
                    models.BooleanField(
                        default=True,
                        help_text="When a model's provider fails, and surely billed nothing, call the next model.",
                    ),
                ),
                (
                    "falls_back_on_budget",
                    models.BooleanField(
                        default=True,
                        help_text="When a model does not fit into the budget, call the next model.",
                    ),
                ),
                ("active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "verbose_name_plural": "aliases",
            },
        ),
        migrations.CreateModel(
            name="AliasEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.BigIntegerField()),
                (
                    "name",
                    models.CharField(
                        help_text="What clients send as the model. It may be a catalogue model's own name.",
                        max_length=160,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z0-9][A-Za-z0-9_.:/-]*$",
                                "Letters, digits and _ . : / - without spaces",
                            )
                        ],
                    ),
                ),
                (
                    "falls_back_on_failure",
                    models.BooleanField(
                        default=True,
                        help_text="When a model's provider fails, and surely billed nothing, call the next model.",
                    ),
                ),
                (
                    "falls_back_on_budget",
                    models.BooleanField(
                        default=True,
                        help_text="When a model does not fit into the budget, call the next model.",
                    ),
                ),
                ("active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="AliasTarget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "position",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="1 is tried first. Equal positions share the calls by weight.",
                    ),
                ),
                (
                    "name_at_provider",
                    models.CharField(
                        blank=True,
                        help_text="Where it has another name there, e.g. a deployment.",
                        max_length=160,
                    ),
                ),
                (
                    "weight",
                    models.PositiveSmallIntegerField(
                        default=1, validators=[django.core.validators.MaxValueValidator(1000)]
                    ),
                ),
            ],
            options={
                "verbose_name": "target",
            },
        ),
        migrations.CreateModel(
            name="AliasTargetEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.BigIntegerField()),
                (
                    "position",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="1 is tried first. Equal positions share the calls by weight.",
                    ),
                ),
                (
                    "name_at_provider",
                    models.CharField(
                        blank=True,
                        help_text="Where it has another name there, e.g. a deployment.",
                        max_length=160,
                    ),
                ),
                (
                    "weight",
                    models.PositiveSmallIntegerField(
                        default=1, validators=[django.core.validators.MaxValueValidator(1000)]
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="RouteEdition",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("number", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="RouteHealth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("model", models.CharField(max_length=160)),
                ("failures", models.PositiveIntegerField(help_text="In a row.")),
                ("code", models.CharField(help_text="What the last failure was.", max_length=60)),
                ("failed_at", models.DateTimeField()),
                ("cools_until", models.DateTimeField(null=True)),
                ("recovered_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name_plural": "route health",
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="provider",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="provider",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="provider",
            name="delete_delete",
        ),
        migrations.RemoveConstraint(
            model_name="provider",
            name="provider_once",
        ),
        migrations.AddField(
            model_name="costrecord",
            name="credential",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Which of the provider's keys; empty where it has one.",
                max_length=60,
            ),
        ),
        migrations.AddField(
            model_name="costrecord",
            name="origin_request_id",
            field=models.UUIDField(
                help_text="The call that this one was made instead of, when its model failed.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="connect_timeout_s",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="A connection that takes longer was never made: not billed. In seconds; empty: the site's setting.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(86400),
                ],
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="first_byte_timeout_s",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="A stream that has not begun by then is given up. In seconds; empty: the site's setting.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(86400),
                ],
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="idle_timeout_s",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="A stream that pauses for longer is given up. In seconds; empty: the site's setting.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(86400),
                ],
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="label",
            field=models.CharField(
                blank=True,
                help_text="Tells several keys of one provider apart, e.g. europe. Empty where there is one.",
                max_length=60,
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="total_timeout_s",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="A call that takes longer is given up, with all its attempts. In seconds; empty: the site's setting.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(86400),
                ],
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="weight",
            field=models.PositiveSmallIntegerField(
                default=1,
                help_text="Its share of the calls among keys of the same name and owner. 0: only when the others fail.",
                validators=[django.core.validators.MaxValueValidator(1000)],
            ),
        ),
        migrations.AddField(
            model_name="providerevent",
            name="connect_timeout_s",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="A connection that takes longer was never made: not billed. In seconds; empty: the site's setting.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(86400),
                ],
            ),
        ),
        migrations.AddField(
            model_name="providerevent",
            name="first_byte_timeout_s",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="A stream that has not begun by then is given up. In seconds; empty: the site's setting.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(86400),
                ],
            ),
        ),
        migrations.AddField(
            model_name="providerevent",
            name="idle_timeout_s",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="A stream that pauses for longer is given up. In seconds; empty: the site's setting.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(86400),
                ],
            ),
        ),
        migrations.AddField(
            model_name="providerevent",
            name="label",
            field=models.CharField(
                blank=True,
                help_text="Tells several keys of one provider apart, e.g. europe. Empty where there is one.",
                max_length=60,
            ),
        ),
        migrations.AddField(
            model_name="providerevent",
            name="total_timeout_s",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="A call that takes longer is given up, with all its attempts. In seconds; empty: the site's setting.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(86400),
                ],
            ),
        ),
        migrations.AddField(
            model_name="providerevent",
            name="weight",
            field=models.PositiveSmallIntegerField(
                default=1,
                help_text="Its share of the calls among keys of the same name and owner. 0: only when the others fail.",
                validators=[django.core.validators.MaxValueValidator(1000)],
            ),
        ),
        migrations.AlterField(
            model_name="costrecord",
            name="status",
            field=models.PositiveSmallIntegerField(
                help_text="HTTP status that the caller was given, or would have been for this attempt alone."
            ),
        ),
        migrations.AlterField(
            model_name="provider",
            name="base_url",
            field=models.URLField(
                blank=True,
                help_text="Only for an OpenAI-compatible address, e.g. https://llm.example.org/v1",
            ),
        ),
        migrations.AlterField(
            model_name="provider",
            name="organization",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: the site's own, for every organization without one of that name.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="providers",
                to="budgets.organization",
            ),
        ),
        migrations.AlterField(
            model_name="providerevent",
            name="base_url",
            field=models.URLField(
                blank=True,
                help_text="Only for an OpenAI-compatible address, e.g. https://llm.example.org/v1",
            ),
        ),
        migrations.AlterField(
            model_name="providerevent",
            name="organization",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="Empty: the site's own, for every organization without one of that name.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.organization",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="provider",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "tracking_providerevent" ("active", "base_url", "connect_timeout_s", "created_at", "first_byte_timeout_s", "id", "idle_timeout_s", "kind", "label", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "total_timeout_s", "updated_at", "weight") VALUES (NEW."active", NEW."base_url", NEW."connect_timeout_s", NEW."created_at", NEW."first_byte_timeout_s", NEW."id", NEW."idle_timeout_s", NEW."kind", NEW."label", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."total_timeout_s", NEW."updated_at", NEW."weight"); RETURN NULL;',
                    hash="b32765db580c329c3afb18d94140ebb93150ba31",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_b9032",
                    table="tracking_provider",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="provider",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."active" IS DISTINCT FROM (NEW."active") OR OLD."base_url" IS DISTINCT FROM (NEW."base_url") OR OLD."connect_timeout_s" IS DISTINCT FROM (NEW."connect_timeout_s") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."first_byte_timeout_s" IS DISTINCT FROM (NEW."first_byte_timeout_s") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."idle_timeout_s" IS DISTINCT FROM (NEW."idle_timeout_s") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."label" IS DISTINCT FROM (NEW."label") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."total_timeout_s" IS DISTINCT FROM (NEW."total_timeout_s") OR OLD."updated_at" IS DISTINCT FROM (NEW."updated_at") OR OLD."weight" IS DISTINCT FROM (NEW."weight"))',
                    func='INSERT INTO "tracking_providerevent" ("active", "base_url", "connect_timeout_s", "created_at", "first_byte_timeout_s", "id", "idle_timeout_s", "kind", "label", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "total_timeout_s", "updated_at", "weight") VALUES (NEW."active", NEW."base_url", NEW."connect_timeout_s", NEW."created_at", NEW."first_byte_timeout_s", NEW."id", NEW."idle_timeout_s", NEW."kind", NEW."label", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."total_timeout_s", NEW."updated_at", NEW."weight"); RETURN NULL;',
                    hash="321a14940283555ec13f38b4fe6118e11cd8ae93",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_5f901",
                    table="tracking_provider",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="provider",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "tracking_providerevent" ("active", "base_url", "connect_timeout_s", "created_at", "first_byte_timeout_s", "id", "idle_timeout_s", "kind", "label", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "total_timeout_s", "updated_at", "weight") VALUES (OLD."active", OLD."base_url", OLD."connect_timeout_s", OLD."created_at", OLD."first_byte_timeout_s", OLD."id", OLD."idle_timeout_s", OLD."kind", OLD."label", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."total_timeout_s", OLD."updated_at", OLD."weight"); RETURN NULL;',
                    hash="8dafb501b6a5b2784dd870711bd5349a421dd66b",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_3419c",
                    table="tracking_provider",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="provider",
            constraint=models.UniqueConstraint(
                fields=("name", "label", "organization"),
                name="provider_once",
                nulls_distinct=False,
                violation_error_message="A provider of this name, label and owner already exists.",
            ),
        ),
        migrations.AddField(
            model_name="alias",
            name="organization",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: the site's own, for every organization.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="aliases",
                to="budgets.organization",
            ),
        ),
        migrations.AddField(
            model_name="aliasevent",
            name="organization",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="Empty: the site's own, for every organization.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.organization",
            ),
        ),
        migrations.AddField(
            model_name="aliasevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                related_query_name="+",
                to="tracking.alias",
            ),
        ),
        migrations.AddField(
            model_name="aliastarget",
            name="alias",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="targets",
                to="tracking.alias",
            ),
        ),
        migrations.AddField(
            model_name="aliastarget",
            name="model",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tracking.catalogmodel",
            ),
        ),
        migrations.AddField(
            model_name="aliastarget",
            name="provider",
            field=models.ForeignKey(
                blank=True,
                help_text="Only with this key. Empty: with any of the model's provider.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tracking.provider",
            ),
        ),
        migrations.AddField(
            model_name="aliastargetevent",
            name="alias",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="tracking.alias",
            ),
        ),
        migrations.AddField(
            model_name="aliastargetevent",
            name="model",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="tracking.catalogmodel",
            ),
        ),
        migrations.AddField(
            model_name="aliastargetevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                related_query_name="+",
                to="tracking.aliastarget",
            ),
        ),
        migrations.AddField(
            model_name="aliastargetevent",
            name="provider",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="Only with this key. Empty: with any of the model's provider.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="tracking.provider",
            ),
        ),
        migrations.AddConstraint(
            model_name="routeedition",
            constraint=models.CheckConstraint(
                condition=models.Q(("id", 1)), name="routes_have_one_edition"
            ),
        ),
        migrations.AddField(
            model_name="routehealth",
            name="provider",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="health",
                to="tracking.provider",
            ),
        ),
        migrations.AddConstraint(
            model_name="alias",
            constraint=models.UniqueConstraint(
                fields=("name", "organization"),
                name="alias_once",
                nulls_distinct=False,
                violation_error_message="An alias of this name and owner already exists.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="alias",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "tracking_aliasevent" ("active", "created_at", "falls_back_on_budget", "falls_back_on_failure", "id", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at") VALUES (NEW."active", NEW."created_at", NEW."falls_back_on_budget", NEW."falls_back_on_failure", NEW."id", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."updated_at"); RETURN NULL;',
                    hash="4bf0ab389dfaaa876ffb95cdca2cb53ba3d5cf53",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_13c5a",
                    table="tracking_alias",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="alias",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "tracking_aliasevent" ("active", "created_at", "falls_back_on_budget", "falls_back_on_failure", "id", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at") VALUES (NEW."active", NEW."created_at", NEW."falls_back_on_budget", NEW."falls_back_on_failure", NEW."id", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."updated_at"); RETURN NULL;',
                    hash="9af18b9d746b70d354f2dd541b5b63cc2248ac36",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_86e4e",
                    table="tracking_alias",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="alias",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "tracking_aliasevent" ("active", "created_at", "falls_back_on_budget", "falls_back_on_failure", "id", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at") VALUES (OLD."active", OLD."created_at", OLD."falls_back_on_budget", OLD."falls_back_on_failure", OLD."id", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."updated_at"); RETURN NULL;',
                    hash="a9f24557e1a65726df6bfb7b27c3526e34382a77",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_a4c3c",
                    table="tracking_alias",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="aliasevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="8f57959307f86fea8eadceb1718a258bb036e901",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_ea953",
                    table="tracking_aliasevent",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="aliastarget",
            constraint=models.UniqueConstraint(
                fields=("alias", "model", "provider"),
                name="alias_target_once",
                nulls_distinct=False,
                violation_error_message="The alias has this model and key already.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="aliastarget",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "tracking_aliastargetevent" ("alias_id", "id", "model_id", "name_at_provider", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "provider_id", "weight") VALUES (NEW."alias_id", NEW."id", NEW."model_id", NEW."name_at_provider", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."position", NEW."provider_id", NEW."weight"); RETURN NULL;',
                    hash="445341f7d44c89db00ef487de7068b4f649a383a",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_ce762",
                    table="tracking_aliastarget",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="aliastarget",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "tracking_aliastargetevent" ("alias_id", "id", "model_id", "name_at_provider", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "provider_id", "weight") VALUES (NEW."alias_id", NEW."id", NEW."model_id", NEW."name_at_provider", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."position", NEW."provider_id", NEW."weight"); RETURN NULL;',
                    hash="4db33d63138355021b91e865fed2e736d11e7e23",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_52885",
                    table="tracking_aliastarget",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="aliastarget",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "tracking_aliastargetevent" ("alias_id", "id", "model_id", "name_at_provider", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "provider_id", "weight") VALUES (OLD."alias_id", OLD."id", OLD."model_id", OLD."name_at_provider", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."position", OLD."provider_id", OLD."weight"); RETURN NULL;',
                    hash="ff7957d6f2a4c72f9bf4eb150184ffdc7cfece6e",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_3d16a",
                    table="tracking_aliastarget",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="aliastargetevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="f24097f3465259d01e7a528c19d1bb450a1be1e8",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_8f933",
                    table="tracking_aliastargetevent",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="routehealth",
            constraint=models.UniqueConstraint(
                fields=("provider", "model"), name="route_health_once"
            ),
        ),
        migrations.RunSQL(
            read_sql("tracking.gateway", "route_edition_guards"), migrations.RunSQL.noop
        ),
    ]
