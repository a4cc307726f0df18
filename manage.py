#!/usr/bin/env python3
"""The one entry: sets the project up where needed, then runs Django's command.

``python3 manage.py up`` serves, ``python3 manage.py test`` tests, ``python3 manage.py help`` lists.
"""

from __future__ import annotations

import os
import sys

from costsite import bootstrap


def main() -> None:
    """Continue in the project's own environment, then hand over to Django."""
    bootstrap.ensure(sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "costsite.settings")
    data = bootstrap.data_option(sys.argv)
    if data:
        os.environ["COSTSITE_DATA"] = data
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
