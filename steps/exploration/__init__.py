"""Exploration: generated walks over the lifecycle table, played under the oracle and shrunk when they break something.

walk.py how a walk is drawn from the table · scenario_emitter.py what each move of the trainer's is in words of a scenario · explore.py plays walks,
shrinks and saves · fault_pairs.py pairs of faults, every pair once
"""
