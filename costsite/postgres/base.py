"""The database backend that settings name in embedded mode."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base

from costsite import embedded


class DatabaseWrapper(base.DatabaseWrapper):
    """Starts the embedded server, or adopts it, when the first connection is made.

    Commands that never touch the database start nothing. Under ``manage.py up`` the supervisor
    alone starts and heals the server.
    """

    def get_connection_params(self) -> dict[str, Any]:
        """Give the connection's parameters, of a server that runs."""
        if "COSTSITE_SUPERVISED" not in os.environ:
            embedded.use(Path(settings.COSTSITE_DATA))
        return super().get_connection_params()
