"""The running whole for demo and tests: a fresh directory with configuration, then broker, bench, agent and desk.

Nothing here is part of a vehicle; a vehicle's processes are started by systemd.
"""
