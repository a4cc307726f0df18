"""Keep every change of plans, budgets, raises and tenants in tables beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import budgets.limits.models
import budgets.tenancy.models


def begin(apps: Any, schema_editor: Any) -> None:
    """Write down what there is already, so that the first change has something before it."""
    at = datetime.now(UTC)
    for name in ("Plan", "Budget", "LimitRaise", "Organization", "Membership", "Project", "ApiKey"):
        kept = apps.get_model("budgets", f"{name}Event")
        fields = kept._meta.fields  # noqa: SLF001  Django's documented name.
        names = [field.attname for field in fields if not field.name.startswith("pgh_")]
        rows = apps.get_model("budgets", name).objects.order_by("pk").values("pk", *names)
        kept.objects.bulk_create(
            (
                kept(
                    pgh_label="begin",
                    pgh_created_at=at,
                    pgh_obj_id=row.pop("pk"),
                    **row,
                )
                for row in rows.iterator()
            ),
            batch_size=1000,
        )


class Migration(migrations.Migration):
    """The tables, then the triggers, then what there is already."""

    dependencies = [
        ("budgets", "0003_first_plans"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="Change",
            fields=[],
            options={
                "verbose_name": "change of configuration",
                "verbose_name_plural": "changes of configuration",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("pghistory.events",),
            managers=[("no_objects", models.manager.Manager())],
        ),
        migrations.CreateModel(
            name="ApiKeyEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.BigIntegerField()),
                ("name", models.CharField(max_length=120)),
                ("lookup_id", models.CharField(editable=False, max_length=8)),
                ("last_four", models.CharField(editable=False, max_length=4)),
                (
                    "previous_expires_at",
                    models.DateTimeField(
                        editable=False,
                        help_text="Until when the secret before the last rotation works.",
                        null=True,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("suspended", "Suspended"),
                            ("revoked", "Revoked"),
                        ],
                        default="active",
                        max_length=12,
                    ),
                ),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "allowed_models",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=160),
                        blank=True,
                        default=list,
                        help_text="Patterns such as openai/*, separated by commas. Empty allows all.",
                        size=None,
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="BudgetEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.BigIntegerField()),
                ("name", models.CharField(max_length=120)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("organization", "the whole organization"),
                            ("project", "one project"),
                            ("user", "one user"),
                            ("api_key", "one API key"),
                            ("tag", "one tag"),
                        ],
                        default="organization",
                        max_length=12,
                    ),
                ),
                (
                    "target",
                    models.CharField(
                        blank=True,
                        help_text="Id of the project, user or API key, or the tag. Empty for the organization.",
                        max_length=120,
                    ),
                ),
                (
                    "each",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "one shared balance"),
                            ("user", "each user"),
                            ("project", "each project"),
                            ("api_key", "each API key"),
                            ("model", "each model"),
                            ("tag", "each tag"),
                            ("session", "each session or run"),
                            ("organization", "each organization"),
                        ],
                        default="",
                        max_length=12,
                    ),
                ),
                (
                    "model_pattern",
                    models.CharField(
                        blank=True,
                        help_text="Only calls of these models, e.g. openai/*.",
                        max_length=160,
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        choices=[
                            ("usd", "US dollars"),
                            ("requests", "requests"),
                            ("tokens", "tokens"),
                            ("in_flight", "requests in flight"),
                        ],
                        default="usd",
                        max_length=12,
                    ),
                ),
                (
                    "window",
                    models.CharField(
                        choices=[
                            ("minute", "Minute"),
                            ("day", "Day"),
                            ("week", "Week"),
                            ("month", "Month"),
                            ("quarter", "Quarter"),
                            ("year", "Year"),
                            ("rolling", "the last days"),
                            ("total", "never (total)"),
                        ],
                        default="month",
                        max_length=12,
                    ),
                ),
                (
                    "rolling_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="How many days, today included, count in a window of the last days.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(366),
                        ],
                    ),
                ),
                (
                    "limit_amount",
                    models.DecimalField(
                        decimal_places=12,
                        max_digits=24,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                (
                    "raised_until",
                    models.DateTimeField(
                        editable=False,
                        help_text="When the last temporary raise of the limit ends.",
                        null=True,
                    ),
                ),
                (
                    "enforcement",
                    models.CharField(
                        choices=[("block", "refuse calls"), ("warn", "only tell")],
                        default="block",
                        max_length=8,
                    ),
                ),
                (
                    "thresholds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(
                            validators=[
                                django.core.validators.MinValueValidator(1),
                                django.core.validators.MaxValueValidator(1000),
                            ]
                        ),
                        blank=True,
                        default=budgets.limits.models.default_thresholds,
                        help_text="Percentages of the limit at which people are told.",
                        size=None,
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
            name="LimitRaiseEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.BigIntegerField()),
                ("subject", models.CharField(blank=True, max_length=160)),
                (
                    "amount",
                    models.DecimalField(
                        decimal_places=12,
                        help_text="Added to the limit, in the budget's unit.",
                        max_digits=24,
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("reason", models.CharField(max_length=240)),
                ("made_at", models.DateTimeField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="MembershipEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.BigIntegerField()),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("admin", "Admin"),
                            ("lead", "Lead"),
                            ("member", "Member"),
                            ("viewer", "Viewer"),
                        ],
                        default="member",
                        max_length=12,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="OrganizationEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.BigIntegerField()),
                ("name", models.CharField(max_length=120)),
                ("slug", models.SlugField(db_index=False, max_length=60)),
                (
                    "time_zone",
                    models.CharField(
                        default="UTC",
                        help_text="Days, weeks and months begin at midnight here, e.g. Europe/Berlin.",
                        max_length=60,
                        validators=[budgets.tenancy.models.validate_time_zone],
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("suspended", "Suspended")],
                        default="active",
                        max_length=12,
                    ),
                ),
                (
                    "stores_answers",
                    models.BooleanField(
                        default=False,
                        help_text="Keep answers to requests with an Idempotency-Key, encrypted, for a day, so that a repeated request gets the same answer.",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PlanEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.BigIntegerField()),
                (
                    "code",
                    models.SlugField(
                        db_index=False, help_text="Stable name, used by the API.", max_length=40
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("description", models.CharField(blank=True, max_length=240)),
                (
                    "allowed_models",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=160),
                        blank=True,
                        default=list,
                        help_text="Patterns such as openai/* or gpt-4o*, separated by commas. Empty allows all.",
                        size=None,
                    ),
                ),
                (
                    "default_output_tokens",
                    models.PositiveIntegerField(
                        default=1024,
                        help_text="Output cap, in tokens, of a call that states none. It is sent to the provider.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "max_output_tokens",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The highest output cap, in tokens, a call may ask for. Empty: the model's own.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "fits_output",
                    models.BooleanField(
                        default=True,
                        help_text="When the budget left pays for part of the asked output, lower the cap to what fits instead of refusing.",
                        verbose_name="lower the cap to fit",
                    ),
                ),
                (
                    "wait_for_room_ms",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="How long, in milliseconds, a call waits for others to settle when only they stand in its way, before it is refused.",
                        validators=[django.core.validators.MaxValueValidator(10000)],
                    ),
                ),
                (
                    "features",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProjectEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.BigIntegerField()),
                ("name", models.CharField(max_length=120)),
                ("slug", models.SlugField(db_index=False, max_length=60)),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_apikeyevent" ("allowed_models", "created_at", "expires_at", "id", "last_four", "lookup_id", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "previous_expires_at", "project_id", "scopes", "status", "user_id") VALUES (NEW."allowed_models", NEW."created_at", NEW."expires_at", NEW."id", NEW."last_four", NEW."lookup_id", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."previous_expires_at", NEW."project_id", NEW."scopes", NEW."status", NEW."user_id"); RETURN NULL;',
                    hash="2629a6ba4eef085eeac16e20b0bb5699ff091df7",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_3c044",
                    table="budgets_apikey",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."allowed_models" IS DISTINCT FROM (NEW."allowed_models") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."last_four" IS DISTINCT FROM (NEW."last_four") OR OLD."lookup_id" IS DISTINCT FROM (NEW."lookup_id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."previous_expires_at" IS DISTINCT FROM (NEW."previous_expires_at") OR OLD."project_id" IS DISTINCT FROM (NEW."project_id") OR OLD."scopes" IS DISTINCT FROM (NEW."scopes") OR OLD."status" IS DISTINCT FROM (NEW."status") OR OLD."user_id" IS DISTINCT FROM (NEW."user_id"))',
                    func='INSERT INTO "budgets_apikeyevent" ("allowed_models", "created_at", "expires_at", "id", "last_four", "lookup_id", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "previous_expires_at", "project_id", "scopes", "status", "user_id") VALUES (NEW."allowed_models", NEW."created_at", NEW."expires_at", NEW."id", NEW."last_four", NEW."lookup_id", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."previous_expires_at", NEW."project_id", NEW."scopes", NEW."status", NEW."user_id"); RETURN NULL;',
                    hash="8c84cf75dc857846aca3e95ccaacfc9164e719cf",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_163c5",
                    table="budgets_apikey",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_apikeyevent" ("allowed_models", "created_at", "expires_at", "id", "last_four", "lookup_id", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "previous_expires_at", "project_id", "scopes", "status", "user_id") VALUES (OLD."allowed_models", OLD."created_at", OLD."expires_at", OLD."id", OLD."last_four", OLD."lookup_id", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."previous_expires_at", OLD."project_id", OLD."scopes", OLD."status", OLD."user_id"); RETURN NULL;',
                    hash="704c9f053534a7e9328a3a84ec6c854f9c284b26",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_3eb49",
                    table="budgets_apikey",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="budget",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_budgetevent" ("active", "created_at", "each", "enforcement", "id", "limit_amount", "model_pattern", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "raised_until", "rolling_days", "scope", "target", "thresholds", "unit", "updated_at", "window") VALUES (NEW."active", NEW."created_at", NEW."each", NEW."enforcement", NEW."id", NEW."limit_amount", NEW."model_pattern", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."plan_id", NEW."raised_until", NEW."rolling_days", NEW."scope", NEW."target", NEW."thresholds", NEW."unit", NEW."updated_at", NEW."window"); RETURN NULL;',
                    hash="685635fcbaddd061d10ec8a1ffc7c52fe2d019e6",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_69143",
                    table="budgets_budget",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="budget",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "budgets_budgetevent" ("active", "created_at", "each", "enforcement", "id", "limit_amount", "model_pattern", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "raised_until", "rolling_days", "scope", "target", "thresholds", "unit", "updated_at", "window") VALUES (NEW."active", NEW."created_at", NEW."each", NEW."enforcement", NEW."id", NEW."limit_amount", NEW."model_pattern", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."plan_id", NEW."raised_until", NEW."rolling_days", NEW."scope", NEW."target", NEW."thresholds", NEW."unit", NEW."updated_at", NEW."window"); RETURN NULL;',
                    hash="def7b8ac175da5fab613a84ded96996432c309c8",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_dac1d",
                    table="budgets_budget",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="budget",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_budgetevent" ("active", "created_at", "each", "enforcement", "id", "limit_amount", "model_pattern", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "raised_until", "rolling_days", "scope", "target", "thresholds", "unit", "updated_at", "window") VALUES (OLD."active", OLD."created_at", OLD."each", OLD."enforcement", OLD."id", OLD."limit_amount", OLD."model_pattern", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."plan_id", OLD."raised_until", OLD."rolling_days", OLD."scope", OLD."target", OLD."thresholds", OLD."unit", OLD."updated_at", OLD."window"); RETURN NULL;',
                    hash="db3ef58f629c4565bce4ff984d2cf0808098b512",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_d0eba",
                    table="budgets_budget",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="limitraise",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_limitraiseevent" ("amount", "budget_id", "ends_at", "id", "made_at", "made_by_id", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "starts_at", "subject") VALUES (NEW."amount", NEW."budget_id", NEW."ends_at", NEW."id", NEW."made_at", NEW."made_by_id", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."reason", NEW."starts_at", NEW."subject"); RETURN NULL;',
                    hash="83cd3c2e4feea00863f8d80d4d1c91814ed66cba",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_528c4",
                    table="budgets_limitraise",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="limitraise",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "budgets_limitraiseevent" ("amount", "budget_id", "ends_at", "id", "made_at", "made_by_id", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "starts_at", "subject") VALUES (NEW."amount", NEW."budget_id", NEW."ends_at", NEW."id", NEW."made_at", NEW."made_by_id", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."reason", NEW."starts_at", NEW."subject"); RETURN NULL;',
                    hash="b41ce8069a188e39bfe7cf531e0a857e06f75fe4",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_eb926",
                    table="budgets_limitraise",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="limitraise",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_limitraiseevent" ("amount", "budget_id", "ends_at", "id", "made_at", "made_by_id", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "starts_at", "subject") VALUES (OLD."amount", OLD."budget_id", OLD."ends_at", OLD."id", OLD."made_at", OLD."made_by_id", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."reason", OLD."starts_at", OLD."subject"); RETURN NULL;',
                    hash="ab5565a0ad24919bc4d4511e048fd408cb3c75d0",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_a38a0",
                    table="budgets_limitraise",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="membership",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_membershipevent" ("created_at", "id", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "role", "user_id") VALUES (NEW."created_at", NEW."id", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."plan_id", NEW."role", NEW."user_id"); RETURN NULL;',
                    hash="8afe5c507fd4dc7be2f71d2476baefd1acaea724",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_73729",
                    table="budgets_membership",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="membership",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "budgets_membershipevent" ("created_at", "id", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "role", "user_id") VALUES (NEW."created_at", NEW."id", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."plan_id", NEW."role", NEW."user_id"); RETURN NULL;',
                    hash="ee842ec3725b08743339771639751679ebaddcf3",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_38a75",
                    table="budgets_membership",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="membership",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_membershipevent" ("created_at", "id", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "role", "user_id") VALUES (OLD."created_at", OLD."id", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."plan_id", OLD."role", OLD."user_id"); RETURN NULL;',
                    hash="36ad02cae501bebd78a00d69c34426ed86ff42dd",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_df557",
                    table="budgets_membership",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organization",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_organizationevent" ("created_at", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "slug", "status", "stores_answers", "time_zone") VALUES (NEW."created_at", NEW."id", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."plan_id", NEW."slug", NEW."status", NEW."stores_answers", NEW."time_zone"); RETURN NULL;',
                    hash="0cc53ab962654efea335a7457db3de1516ab8b3f",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_ceade",
                    table="budgets_organization",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organization",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "budgets_organizationevent" ("created_at", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "slug", "status", "stores_answers", "time_zone") VALUES (NEW."created_at", NEW."id", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."plan_id", NEW."slug", NEW."status", NEW."stores_answers", NEW."time_zone"); RETURN NULL;',
                    hash="e909e3302c834fff964095739b7d6dd0d8b237e5",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_8bd47",
                    table="budgets_organization",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organization",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_organizationevent" ("created_at", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "slug", "status", "stores_answers", "time_zone") VALUES (OLD."created_at", OLD."id", OLD."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."plan_id", OLD."slug", OLD."status", OLD."stores_answers", OLD."time_zone"); RETURN NULL;',
                    hash="9f3529ba998898fa42b48c708af7199734afa160",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_385a8",
                    table="budgets_organization",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="plan",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_planevent" ("allowed_models", "code", "created_at", "default_output_tokens", "description", "features", "fits_output", "id", "max_output_tokens", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at", "wait_for_room_ms") VALUES (NEW."allowed_models", NEW."code", NEW."created_at", NEW."default_output_tokens", NEW."description", NEW."features", NEW."fits_output", NEW."id", NEW."max_output_tokens", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."updated_at", NEW."wait_for_room_ms"); RETURN NULL;',
                    hash="bd804b843eb1ef12b38de72359ce66019127b102",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_1152d",
                    table="budgets_plan",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="plan",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "budgets_planevent" ("allowed_models", "code", "created_at", "default_output_tokens", "description", "features", "fits_output", "id", "max_output_tokens", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at", "wait_for_room_ms") VALUES (NEW."allowed_models", NEW."code", NEW."created_at", NEW."default_output_tokens", NEW."description", NEW."features", NEW."fits_output", NEW."id", NEW."max_output_tokens", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."updated_at", NEW."wait_for_room_ms"); RETURN NULL;',
                    hash="f774565a255d7e3688b26defb58ebc334b4e013a",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_4e53a",
                    table="budgets_plan",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="plan",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_planevent" ("allowed_models", "code", "created_at", "default_output_tokens", "description", "features", "fits_output", "id", "max_output_tokens", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at", "wait_for_room_ms") VALUES (OLD."allowed_models", OLD."code", OLD."created_at", OLD."default_output_tokens", OLD."description", OLD."features", OLD."fits_output", OLD."id", OLD."max_output_tokens", OLD."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."updated_at", OLD."wait_for_room_ms"); RETURN NULL;',
                    hash="443c69f59b30e5d9d98521c8257ee20f30b3fbfe",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_8d76c",
                    table="budgets_plan",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="project",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_projectevent" ("archived_at", "created_at", "id", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "slug") VALUES (NEW."archived_at", NEW."created_at", NEW."id", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."slug"); RETURN NULL;',
                    hash="e3e30e26708d59e7dc30ce7b643f28bb66fd64c2",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_9033f",
                    table="budgets_project",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="project",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "budgets_projectevent" ("archived_at", "created_at", "id", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "slug") VALUES (NEW."archived_at", NEW."created_at", NEW."id", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."slug"); RETURN NULL;',
                    hash="6baee54e65a8c79dc7318ea4c126c137bf89f302",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_0374b",
                    table="budgets_project",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="project",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_projectevent" ("archived_at", "created_at", "id", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "slug") VALUES (OLD."archived_at", OLD."created_at", OLD."id", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."slug"); RETURN NULL;',
                    hash="eca9efa96b8a0dbc7a5649558c7d702412720cf0",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_5e53b",
                    table="budgets_project",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.organization",
            ),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                related_query_name="+",
                to="budgets.apikey",
            ),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="project",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.project",
            ),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="user",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="budgetevent",
            name="organization",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.organization",
            ),
        ),
        migrations.AddField(
            model_name="budgetevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                related_query_name="+",
                to="budgets.budget",
            ),
        ),
        migrations.AddField(
            model_name="budgetevent",
            name="plan",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.plan",
            ),
        ),
        migrations.AddField(
            model_name="limitraiseevent",
            name="budget",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.budget",
            ),
        ),
        migrations.AddField(
            model_name="limitraiseevent",
            name="made_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="limitraiseevent",
            name="organization",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.organization",
            ),
        ),
        migrations.AddField(
            model_name="limitraiseevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                related_query_name="+",
                to="budgets.limitraise",
            ),
        ),
        migrations.AddField(
            model_name="membershipevent",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.organization",
            ),
        ),
        migrations.AddField(
            model_name="membershipevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                related_query_name="+",
                to="budgets.membership",
            ),
        ),
        migrations.AddField(
            model_name="membershipevent",
            name="plan",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                help_text="Replaces what the organization's plan allows each user. Empty: that plan.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.plan",
            ),
        ),
        migrations.AddField(
            model_name="membershipevent",
            name="user",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="organizationevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                related_query_name="+",
                to="budgets.organization",
            ),
        ),
        migrations.AddField(
            model_name="organizationevent",
            name="plan",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.plan",
            ),
        ),
        migrations.AddField(
            model_name="planevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                related_query_name="+",
                to="budgets.plan",
            ),
        ),
        migrations.AddField(
            model_name="projectevent",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="budgets.organization",
            ),
        ),
        migrations.AddField(
            model_name="projectevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                related_query_name="+",
                to="budgets.project",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikeyevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="9ba803196af8016222fdf2b38726f2f79cd3fc83",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_e8cea",
                    table="budgets_apikeyevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="budgetevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="b01aabdc9a5cc2a2eb89122741e1da06e7570fb5",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_585f3",
                    table="budgets_budgetevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="limitraiseevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="22f04e1a55c83c92c0549b8b142d2b8cace3a688",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_ab5ca",
                    table="budgets_limitraiseevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="membershipevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="56aea2662a4da643141f85f9413db611b4d9c37c",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_cbcc7",
                    table="budgets_membershipevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="organizationevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="a10152ad99a60157bcf4fb52c518d1d5e7345417",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_7e246",
                    table="budgets_organizationevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="planevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="b3d7f9837adf2cd0b9bd1bedb0bc1c2cc65e1cc2",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_d55f2",
                    table="budgets_planevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="projectevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="c8e4829934dce8754df91d3f7da2afc3575585e2",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_57ecd",
                    table="budgets_projectevent",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
