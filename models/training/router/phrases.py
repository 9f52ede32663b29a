"""What people say, put together from `grammar.py`: the words, and what is meant by them.

Families, wrappers, turns and the rest are dealt out once, by a fixed seed: no family that training sees is in validation
or in a test. Single words may be in all of them.
"""

import re
from dataclasses import dataclass

import numpy as np

from . import grammar

SKILLS = ("walk_to", "run_around", "pick_up", "find_and_eat_berry")
SPLITS = {"train": 0.64, "validation": 0.12, "test": 0.12, "reserve": 0.12}
DEALT = 20_26  # the seed of the deal: a part of the data, not of a run
KINDS = {"plain": 0.2, "wrapped": 0.4, "aside": 0.12, "turn": 0.12, "denial": 0.11, "swap": 0.05}
PACED = 0.3  # of the orders that may name a pace
MISSPELT = 0.1
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SLIPS = {"the": "teh", "please": "pls", "you": "u", "and": "an", "to": "too", "eat": "eet", "walk": "wlak", "run": "rnu",
         "pick": "pik", "grab": "grap", "marker": "markr", "berry": "bery", "around": "arround", "for": "fro", "get": "gte"}
DOUBLED = {"run", "get", "grab", "hop", "stop", "put", "sit", "trot", "jog", "nab", "snag", "dart", "grip", "gulp", "zip", "lap",
           "pop", "bag", "scoot", "snap", "step", "skip", "wrap", "chew", "clap", "hug", "let", "set"} - {"dart", "gulp", "chew", "scoot"}


@dataclass(frozen=True)
class Said:
    """A sentence, what it asks for, which kind of thing it names, and at what pace."""

    text: str
    skill: str
    about: str | None  # "berry", "other" or None
    pace: str | None  # "fast", "slow" or None
    family: str
    kind: str


def _deal(names):
    """{split: names}: each name in one split, in shares of SPLITS, at least one a split."""
    rng = np.random.default_rng(DEALT)
    names = [names[at] for at in rng.permutation(len(names))]
    dealt, begin, total = {}, 0, 0.0
    for split, share in SPLITS.items():
        total += share
        end = max(begin + 1, round(total * len(names)))
        dealt[split], begin = names[begin:end], end
    return dealt


FAMILIES = {skill: _deal(list(families)) for skill, families in grammar.FAMILIES.items()}
LINES = {skill: families | grammar.MORE[skill] for skill, families in grammar.FAMILIES.items()}
DEALT_OUT = {
    name: _deal(list(getattr(grammar, name)))
    for name in ("FAST", "SLOW", "WRAPPERS", "TURNS", "DENIALS", "SWAPS", "ASIDES_BEFORE", "ASIDES_AFTER")
}
for _skill, _families in grammar.MORE.items():
    FAMILIES[_skill]["train"] += list(_families)
DEALT_OUT["TURNS"]["train"] += list(grammar.TURNS_MORE)
DEALT_OUT["DENIALS"]["train"] += list(grammar.DENIALS_MORE)
# ", no hurry" is read as "no, hurry": a peculiarity of the encoder that has to be learnt.
DEALT_OUT["SLOW"]["reserve"].remove("no hurry")
DEALT_OUT["SLOW"]["train"] += ["no hurry", "no rush", "no haste"]
# What was looked at while choosing; only the reserve was not.
for _dealt in (*FAMILIES.values(), *DEALT_OUT.values()):
    _dealt["known"] = _dealt["train"] + _dealt["validation"] + _dealt["test"]


def say(rng, split):
    """One sentence of a split."""
    kind = rng.choice(list(KINDS), p=list(KINDS.values()))
    skill = SKILLS[rng.integers(len(SKILLS))]
    order = _order(rng, split, skill)
    pick = lambda name: _one(rng, DEALT_OUT[name][split])
    if kind == "swap":
        order = _swap(rng, split, pick("SWAPS"))
    elif order.text.startswith("!"):  # a statement: nothing goes round it
        kind = "plain" if kind in ("wrapped", "turn", "denial") else kind
        order = _with(order, text=order.text[1:])
    elif kind in ("turn", "denial"):
        others = [other for other in SKILLS if other != order.skill]
        first = _order(rng, split, _one(rng, others), paced=0.0)
        text = pick("TURNS" if kind == "turn" else "DENIALS")
        dropped = first.text.lstrip("!") if kind == "turn" else first.text
        # "Do not only lift it" is no denial.
        if dropped.startswith("!") or re.match(r"(only|just)\b", dropped) or " and nothing else" in dropped:
            kind = "plain"
        else:
            order = _with(order, text=text.format(first=dropped, order=order.text, dropping=ing(dropped)))
    if kind in ("wrapped", "aside") and rng.random() < (1.0 if kind == "wrapped" else 0.6):
        order = _with(order, text=pick("WRAPPERS").format(order=order.text, ordering=ing(order.text)))
    text = order.text
    if kind == "aside":
        if rng.random() < 0.5:
            text = f"{pick('ASIDES_BEFORE')} {text}"
        else:
            text = f"{text}{_one(rng, ['.', ',', ';', ' and'])} {pick('ASIDES_AFTER')}"
    return _with(order, text=_written(rng, text), kind=kind)


def sentences(rng, split, count):
    """So many different ones."""
    found = {}
    while len(found) < count:
        said = say(rng, split)
        found.setdefault(said.text.lower(), said)
    return list(found.values())


def _order(rng, split, skill, paced=PACED):
    family = _one(rng, FAMILIES[skill][split])
    about, pace, lines = LINES[skill][family]
    line = _one(rng, lines)
    named = ""
    if line.endswith("~") or "~" in line:
        if pace is None and rng.random() < paced:
            pace = _one(rng, ["fast", "slow"])
            named = _one(rng, DEALT_OUT[pace.upper()][split])
    text = expand(rng, line.replace("~", ""))
    if named in grammar.EARLY and rng.random() < 0.5 and not text.startswith("!"):
        text = f"{named} {text}"
    elif named:
        text = f"{text}{_one(rng, [' ', ' ', ', '])}{named}"
    return Said(text, skill, about, pace, family, "plain")


def _swap(rng, split, frame):
    """An order whose object is put right within the sentence."""
    while True:
        skill = SKILLS[rng.integers(3)]
        family = _one(rng, FAMILIES[skill][split])
        about, pace, lines = LINES[skill][family]
        fitting = [line for line in lines if re.search(r"\{(berry|other|handy)\}", line) and not line.startswith("!")]
        if fitting:
            break
    line = _one(rng, fitting).replace("~", "")
    slot = re.search(r"\{(berry|other|handy)\}", line).group(0)
    other = "{handy}" if skill == "pick_up" else "{other}"
    right, wrong = ("{berry}", other) if rng.random() < 0.5 else (other, "{berry}")
    right_words, wrong_words = expand(rng, right), expand(rng, wrong)
    text = frame.format(
        order_right=expand(rng, line.replace(slot, right_words)),
        order_wrong=expand(rng, line.replace(slot, wrong_words)),
        right=right_words,
        wrong=wrong_words,
    )
    return Said(text, skill, "berry" if right == "{berry}" else "other", pace, family, "swap")


def expand(rng, line):
    """`{lists}` and `(a|b)` worked out, the innermost first."""
    while True:
        found = re.search(r"\{(\w+)\}", line)
        if found is None:
            break
        line = line[: found.start()] + grammar.LISTS[found.group(1)] + line[found.end() :]
    while True:
        found = re.search(r"\(([^()]*)\)", line)
        if found is None:
            return re.sub(r"\s+", " ", line).replace(" ,", ",").strip()
        line = line[: found.start()] + _one(rng, found.group(1).split("|")) + line[found.end() :]


def ing(order):
    """The order with its verb's -ing: "do not" and words before the verb are left as they are."""
    words = order.split(" ")
    at = 1 if words[0] in grammar.EARLY | {"only", "just", "very"} and len(words) > 1 else 0
    at = 2 if order.startswith(("very slowly", "very quickly")) else at
    verb = words[at].rstrip(",")
    tail = words[at][len(verb) :]
    if verb in DOUBLED:
        verb += verb[-1] + "ing"
    elif verb.endswith("e") and not verb.endswith("ee") and verb != "be":
        verb = verb[:-1] + "ing"
    else:
        verb += "ing"
    words[at] = verb + tail
    return " ".join(words)


def _written(rng, text):
    """As it may be typed: capitals, full stops, slips of the finger."""
    text = re.sub(r"([.!?])\.", r"\1", re.sub(r"\s+", " ", text).strip())
    if rng.random() < MISSPELT:
        for _ in range(1 + (rng.random() < 0.25)):
            text = _slip(rng, text)
    look = rng.random()
    if look < 0.35:
        text = text[0].upper() + text[1:]
    elif look < 0.38:
        text = text.upper()
    elif look < 0.7:
        text = text.lower()
    if text[-1].isalpha() and rng.random() < 0.25:
        text += _one(rng, [".", "!", "."])
    return text


def _slip(rng, text):
    words = text.split(" ")
    at = rng.integers(len(words))
    word = words[at]
    if word.lower() in SLIPS and rng.random() < 0.5:
        words[at] = SLIPS[word.lower()]
    elif len(word) > 4 and word.isalpha():  # one wrong letter makes another word of a shorter one
        letter = int(rng.integers(1, len(word) - 1))
        kind = rng.integers(4)
        if kind == 0:  # two letters change places
            word = word[:letter] + word[letter + 1] + word[letter] + word[letter + 2 :]
        elif kind == 1:  # one is left out
            word = word[:letter] + word[letter + 1 :]
        elif kind == 2:  # one is typed twice
            word = word[:letter] + word[letter] + word[letter:]
        else:  # a wrong one
            word = word[:letter] + _one(rng, LETTERS) + word[letter + 1 :]
        words[at] = word
    return " ".join(words)


def _one(rng, items):
    return items[int(rng.integers(len(items)))]


def _with(said, **changes):
    return Said(**{**said.__dict__, **changes})
