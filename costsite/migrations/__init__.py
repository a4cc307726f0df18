"""What the wiring itself keeps in the database: the message queue that Celery uses by default."""
