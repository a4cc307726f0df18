"""Set up and serve everything from one terminal: ``python3 manage.py up``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from costsite import up
from costsite.embedded import EmbeddedError
from costsite.placement import PlacementError


class Command(BaseCommand):
    """Starts PostgreSQL, migrates, makes demo data on the first start, and serves until Ctrl-C."""

    help = "Set up and serve everything: database, worker, web server. Ctrl-C stops it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where to serve and where the data lies."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, help="port (8000, or a free one)")
        # manage.py has read it before the settings; it stands here to be known and explained.
        parser.add_argument("--data", help="data folder (COSTSITE_DATA, or var)")
        parser.add_argument("--no-demo", action="store_true", help="begin without demo data")
        parser.add_argument("--workers", type=int, default=1, help="processes of the web server")

    def handle(self, **options: Any) -> None:
        """Serve; exit with 1 when the site could not be served or kept alive."""
        asked = up.Options(
            host=options["host"],
            port=options["port"],
            demo=not options["no_demo"],
            workers=options["workers"],
        )
        try:
            code = up.run(asked, say=self.say)
        except (up.UpError, EmbeddedError, PlacementError) as error:
            raise CommandError(str(error)) from error
        sys.exit(code)

    def say(self, line: str) -> None:
        """Write a line at once, into a pipe too."""
        self.stdout.write(line)
        self.stdout.flush()
