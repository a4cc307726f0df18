"""Commands of the site: up, test, check_all and a migrate that never runs twice at once."""
