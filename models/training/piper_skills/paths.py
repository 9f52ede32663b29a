"""Where things lie, from this file and not from the working directory."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
URDF = REPOSITORY / "urdf" / "piper.urdf"
SCENE = REPOSITORY / "models" / "scenes" / "piper_berry.xml"
HEADS = REPOSITORY / "models" / "heads"
