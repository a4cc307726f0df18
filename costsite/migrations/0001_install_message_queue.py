"""Install pgmq's tables and functions, the queue that Celery uses unless it is given another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import migrations
from pgmq.install import get_embedded_install_sql

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def install(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Run pgmq's own script, unless an administrator has, and make Celery's queue.

    The queue wakes its readers, at most four times a second.
    """
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_namespace WHERE nspname = 'pgmq'")
        is_installed = cursor.rowcount > 0
    if not is_installed:
        schema_editor.execute(get_embedded_install_sql(), params=None)
    schema_editor.execute("SELECT pgmq.create('celery')")
    schema_editor.execute("SELECT pgmq.enable_notify_insert('celery', 250)")


class Migration(migrations.Migration):
    """The version of the script is that of the pinned library; a newer one needs its own migration."""

    initial = True
    dependencies = ()
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
