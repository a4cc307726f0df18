"""Take any Anthropic-compatible address as a provider."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("budgets", "0009_read_by_index"),
        ("tracking", "0012_find_what_was_cached"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="provider",
            name="provider_address_fits_kind",
        ),
        migrations.AlterField(
            model_name="provider",
            name="base_url",
            field=models.URLField(
                blank=True,
                help_text="Only for a compatible address, e.g. https://llm.example.org/v1",
            ),
        ),
        migrations.AlterField(
            model_name="provider",
            name="kind",
            field=models.CharField(
                choices=[
                    ("demo", "built-in demo"),
                    ("openai_compatible", "any OpenAI-compatible address"),
                    ("anthropic_compatible", "any Anthropic-compatible address"),
                    ("litellm", "a provider that litellm knows"),
                ],
                default="litellm",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="providerevent",
            name="base_url",
            field=models.URLField(
                blank=True,
                help_text="Only for a compatible address, e.g. https://llm.example.org/v1",
            ),
        ),
        migrations.AlterField(
            model_name="providerevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("demo", "built-in demo"),
                    ("openai_compatible", "any OpenAI-compatible address"),
                    ("anthropic_compatible", "any Anthropic-compatible address"),
                    ("litellm", "a provider that litellm knows"),
                ],
                default="litellm",
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="provider",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind__in", ("openai_compatible", "anthropic_compatible")),
                        models.Q(("base_url", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(
                            ("kind__in", ("openai_compatible", "anthropic_compatible")),
                            _negated=True,
                        ),
                        ("base_url", ""),
                    ),
                    _connector="OR",
                ),
                name="provider_address_fits_kind",
                violation_error_message="A compatible address needs a base URL; the other kinds take none.",
            ),
        ),
    ]
