"""From nothing to models/heads/fireboy_*.{onnx,toml}.

    python -m fireboy_skills [HEAD...] [--seed S] [--out DIR] [--embed COMMAND]
"""

import argparse
from pathlib import Path

from . import evaluate
from .export import EXECUTE_STEPS, write
from .law import CHUNK_STEPS
from .paths import HEADS, ROOT
from .skills import SKILLS
from .training import ROUNDS, train
from .words import Words

EMBED = f"{ROOT}/target/debug/reflexd-router embed {{text}} --out {{numbers}}"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("heads", nargs="*", default=list(SKILLS), help=", ".join(SKILLS))
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, default=HEADS)
    arguments.add_argument("--embed", default=EMBED, help="what embeds {text}, one phrase a line, into {numbers}")
    arguments.add_argument("--effort", type=float, default=1.0, help="of episodes and batches: less for a try")
    arguments.add_argument("--steps", type=int, default=CHUNK_STEPS, help="of a chunk: 1 for the comparison in the README")
    arguments.add_argument("--rounds", type=int, default=ROUNDS, help="of corrections; 0: the teacher's episodes alone")
    arguments.add_argument("--episodes", type=int, default=100, help="of each row of the evaluation afterwards")
    arguments = arguments.parse_args()
    words = Words(arguments.embed)
    for name in arguments.heads:
        skill = SKILLS[name]
        head, seen = train(skill, arguments.seed, words, arguments.steps, arguments.effort, arguments.rounds)
        suffix = "" if arguments.steps > 1 else "_single_step"
        path = write(head, arguments.out, seen, words, arguments.seed, f"{name}{suffix}")
        execute = (1, EXECUTE_STEPS)[: 1 + (arguments.steps > 1)]
        evaluate.show(evaluate.table(skill, evaluate.onnx_policy(path, words), arguments.episodes, execute=execute), arguments.episodes)


if __name__ == "__main__":
    main()
