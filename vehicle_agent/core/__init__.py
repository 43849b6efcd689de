"""The pure core: what the Order asks of the vehicle, as functions from values to values.

Standard library only; no clock, no input or output, no logging: time and identifiers are arguments.
"""
