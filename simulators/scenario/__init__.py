"""Scenarios: a trip or a fault told in lines that anyone can read, played against the running demo from outside.

The commander acts through the cab display, the wires through the bench, duty officers through the desk; nothing here
looks inside.
"""
