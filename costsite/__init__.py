"""The wiring: settings, addresses, servers and the commands that start and check them.

Owns how the product is set up and run. Promises that every setting comes from the environment and
that a bad one is refused loudly. Refuses to hold anything about money or models: nobody imports it.
"""
