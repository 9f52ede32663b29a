"""The shipped heads on what they have never seen, by ONNX Runtime and their manifests alone.

    python -m router.evaluate [ROBOT...] [--split validation|test|reserve] [--seed S] [--rows N] [--record] [--save DIR] [--show]

The bars: every skill right, a mean absolute error of at most 0.0170 over all six parameters, none above 0.03; m for the
target and the radius, speed_hint and object_is_berry in their own units.
"""

import argparse
import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime

from piper_skills.paths import HEADS, REPOSITORY

from . import data
from .embeddings import embed
from .labels import PARAMS
from .phrases import SKILLS
from .scenes import ROBOTS, states

PARAPHRASES = REPOSITORY / "tests" / "data" / "router" / "paraphrases.txt"
MEAN_MAX, EACH_MAX, PARAPHRASES_MIN = 0.0170, 0.03, 0.98
SURE = 0.6  # below it a router's daemon does not begin, as configured
RECORD = "# By `python -m router.evaluate --record`; see README.md there."


class Head:
    """A head as its two files say it is."""

    def __init__(self, robot, folder):
        self.path = folder / f"{robot}_router.toml"
        self.manifest = tomllib.loads(self.path.read_text())
        network = (folder / self.manifest["onnx"]).read_bytes()
        if hashlib.sha256(network).hexdigest() != self.manifest["sha256"]:
            raise SystemExit(f"{self.path}: sha256 is not that of {self.manifest['onnx']}: train it again")
        self.session = onnxruntime.InferenceSession(network)

    def ask(self, embeddings, states):
        """Logits (n, 4) and parameters in their units (n, 6)."""
        clip = self.manifest["clip"]
        parts = []
        for name, values in (("embedding", embeddings), ("state", states)):
            scale = self.manifest[name]
            parts.append(np.clip((values - np.array(scale["mean"])) / np.array(scale["std"]), -clip, clip))
        x = np.concatenate(parts, 1).astype(np.float32)
        answers = [self.session.run(["skill_logits", "params"], {"x": row[None]}) for row in x]
        logits, params = (np.concatenate(each) for each in zip(*answers))
        return logits, params * np.array(self.manifest["params"]["std"]) + np.array(self.manifest["params"]["mean"])

    def must_fit(self, identity):
        if identity != self.manifest["encoder"]:
            raise SystemExit(f"{self.path}: trained with {self.manifest['encoder']}, but the encoder here is {identity}: train it again")


def held_out(head, robot, split, seed, count, show):
    """How it does on rows of a split; and the rows."""
    rows = data.rows(ROBOTS[robot], split, seed, count)
    head.must_fit(rows.identity)
    logits, params = head.ask(rows.embeddings, rows.states)
    wrong = np.abs(params - rows.params)
    chosen = logits.argmax(1)
    each = wrong.mean(0)
    if show:
        for at in np.flatnonzero((chosen != rows.skills) | (wrong[:, 4:].max(1) > 0.15) | (wrong.max(1) > 0.2)):
            said = rows.said[at]
            print(f"  {said.skill} > {SKILLS[chosen[at]]}  about {said.about}, {said.pace}, {wrong[at].round(2).tolist()}: {said.text}")
    return {
        "split": split,
        "seed": seed,
        "rows": count,
        "skills_right": int((chosen == rows.skills).sum()),
        "mae": round(float(each.mean()), 5),
        "mae_each": {name: round(float(value), 5) for name, value in zip(PARAMS, each)},
        "error_p99": {name: round(float(value), 4) for name, value in zip(PARAMS, np.quantile(wrong, 0.99, axis=0))},
    }, rows


def paraphrases(head, robot, show):
    """How many of the handwritten ones go to the right skill, the network alone; and of the four first commands."""
    lines = [line.split(": ", 1) for line in PARAPHRASES.read_text().splitlines() if line and line[0] != "#"]
    embedded, understood, identity = embed([text for _, text in lines])
    head.must_fit(identity)
    seen = states(ROBOTS[robot], np.random.default_rng(9_000), len(lines))
    logits, _ = head.ask(embedded, seen)
    right = understood & (logits.argmax(1) == [SKILLS.index(skill) for skill, _ in lines])
    powers = np.exp(logits - logits.max(1, keepdims=True))
    sure = right & ((powers / powers.sum(1, keepdims=True)).max(1) >= SURE)
    if show:
        for at in np.flatnonzero(~right):
            print(f"  {lines[at][0]} > {SKILLS[logits[at].argmax()]}: {lines[at][1]}")
    return {"first_commands_right": int(right[:4].sum()), "paraphrases": len(lines) - 4, "paraphrases_right": int(right[4:].sum()), "paraphrases_right_and_sure": int(sure[4:].sum())}


def record(head, found):
    """Puts what was found at the end of the manifest."""
    text = head.path.read_text().split(RECORD)[0].rstrip()
    lines = [f"{key} = {_toml(value)}" for key, value in found.items()]
    head.path.write_text(f"{text}\n\n{RECORD}\n[evaluation]\n" + "\n".join(lines) + "\n")


def _toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


def main():
    parser = argparse.ArgumentParser(prog="router.evaluate")
    parser.add_argument("robots", nargs="*", default=list(ROBOTS), metavar="ROBOT")
    parser.add_argument("--heads", type=Path, default=HEADS)
    parser.add_argument("--split", choices=["validation", "test", "reserve"], default="reserve", help="the shipped heads have learnt from all but `reserve`")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--record", action="store_true", help="into the manifest")
    parser.add_argument("--save", type=Path, help="the rows, as text, into this folder")
    parser.add_argument("--show", action="store_true", help="what went wrong")
    parser.add_argument("--no-paraphrases", action="store_true", help="leave them alone: while choosing, for example")
    arguments = parser.parse_args()
    passed = True
    for robot in arguments.robots:
        head = Head(robot, arguments.heads)
        found, rows = held_out(head, robot, arguments.split, arguments.seed, arguments.rows, arguments.show)
        bars = found["skills_right"] == found["rows"] and found["mae"] <= MEAN_MAX and max(found["mae_each"].values()) <= EACH_MAX
        if not arguments.no_paraphrases:
            found |= paraphrases(head, robot, arguments.show)
            bars &= found["first_commands_right"] == 4 and found["paraphrases_right"] >= PARAPHRASES_MIN * found["paraphrases"]
        found = {"onnx_sha256": head.manifest["sha256"], **found}
        print(json.dumps({"robot": robot, "passed": bool(bars), **found}), flush=True)
        if arguments.record:
            command = f"python -m router.evaluate {robot} --split {arguments.split} --seed {arguments.seed} --rows {arguments.rows}"
            record(head, {"command": command, **found})
        if arguments.save:
            data.save(arguments.save / f"{robot}_rows.tsv", rows)
        passed &= bars
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    main()
