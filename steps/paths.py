"""Where the data of the suite lies: in the folders of a checkout, or beside the modules of an installed package."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # holds contracts/, features/, rollout_server/, scenarios/ and steps/
CONTRACTS = ROOT / "contracts"
SCENARIOS = ROOT / "scenarios"
TOKENIZER = SCENARIOS / "tokenizer"
