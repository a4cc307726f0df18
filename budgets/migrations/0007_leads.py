"""Members who lead a project, and so see all that is spent in it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """One table between projects and members."""

    dependencies = [("budgets", "0006_tell_rate_limits")]

    operations = [
        migrations.AddField(
            model_name="project",
            name="leads",
            field=models.ManyToManyField(
                blank=True,
                help_text="Members with the role lead who see all that is spent in this project.",
                related_name="led_projects",
                to="budgets.membership",
            ),
        ),
    ]
