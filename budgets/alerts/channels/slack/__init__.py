"""Alerts in Slack, by an incoming webhook; other chats that take its format work too."""
