"""What a call through the gateway costs: requests a second, CPU, latency and memory.

``python3 -m tests.benchmarks.gateway rates``    requests a second and CPU beside two floors
``python3 -m tests.benchmarks.gateway memory``   what a worker holds after many calls
``python3 -m tests.benchmarks.gateway streams``  what open streams hold that nothing comes through
"""
