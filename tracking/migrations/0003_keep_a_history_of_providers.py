"""Keep every change of providers in a table beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import django.core.validators
import django.db.models.deletion
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


def begin(apps: Any, schema_editor: Any) -> None:
    """Write down what there is already, so that the first change has something before it."""
    at = datetime.now(UTC)
    for name in ("Provider",):
        kept = apps.get_model("tracking", f"{name}Event")
        fields = kept._meta.fields  # noqa: SLF001  Django's documented name.
        names = [field.attname for field in fields if not field.name.startswith("pgh_")]
        rows = apps.get_model("tracking", name).objects.order_by("pk").values("pk", *names)
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
        ("budgets", "0004_keep_a_history_of_configuration"),
        ("tracking", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProviderEvent",
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
                        help_text="As in the model catalogue, e.g. openai, anthropic, or a name of your own.",
                        max_length=60,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9_.-]*$", "Lower-case letters, digits, _ . -"
                            )
                        ],
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("demo", "built-in demo"),
                            ("openai_compatible", "any OpenAI-compatible address"),
                            ("litellm", "a provider that litellm knows"),
                        ],
                        default="litellm",
                        max_length=20,
                    ),
                ),
                (
                    "base_url",
                    models.URLField(
                        blank=True,
                        help_text="Only for an OpenAI-compatible address, e.g. http://127.0.0.1:11434/v1",
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
        pgtrigger.migrations.AddTrigger(
            model_name="provider",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "tracking_providerevent" ("active", "base_url", "created_at", "id", "kind", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at") VALUES (NEW."active", NEW."base_url", NEW."created_at", NEW."id", NEW."kind", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'insert\', NEW."id", NEW."updated_at"); RETURN NULL;',
                    hash="8c92233aef2e2b98795addf08fcfbb352988eccb",
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
                    condition='WHEN (OLD."active" IS DISTINCT FROM (NEW."active") OR OLD."base_url" IS DISTINCT FROM (NEW."base_url") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."updated_at" IS DISTINCT FROM (NEW."updated_at"))',
                    func='INSERT INTO "tracking_providerevent" ("active", "base_url", "created_at", "id", "kind", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at") VALUES (NEW."active", NEW."base_url", NEW."created_at", NEW."id", NEW."kind", NEW."name", NEW."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'update\', NEW."id", NEW."updated_at"); RETURN NULL;',
                    hash="0f03f5065f13036f416a09ccdb829394f559a34f",
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
                    func='INSERT INTO "tracking_providerevent" ("active", "base_url", "created_at", "id", "kind", "name", "organization_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at") VALUES (OLD."active", OLD."base_url", OLD."created_at", OLD."id", OLD."kind", OLD."name", OLD."organization_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, clock_timestamp(), \'delete\', OLD."id", OLD."updated_at"); RETURN NULL;',
                    hash="66c74cf2c2032f316f86e0fc1d130bd44efe8717",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_3419c",
                    table="tracking_provider",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="providerevent",
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
            model_name="providerevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                related_query_name="+",
                to="tracking.provider",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="providerevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="a17a96737e92a8f9877b533fde20c870a31fdcfe",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_c8764",
                    table="tracking_providerevent",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
