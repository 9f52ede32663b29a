"""Where things are in the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HEADS = ROOT / "models" / "heads"
SCENES = ROOT / "models" / "scenes"
ROBOT = ROOT / "config" / "robots" / "fireboy.toml"
PHRASES = Path(__file__).with_name("phrases.toml")
