#!/usr/bin/env python3
"""MiniCPM-V 4.6 beside reflexd: what was said and seen becomes the `embedding` that the daemon's heads read.

    sidecar.py serve --model DIR --robot fireboy             until it is told to end
    sidecar.py embed --model DIR phrases.tsv --out x.npy     embeddings for training: a phrase, a tab, a picture's file
    sidecar.py identity --model DIR                          by what a head knows this encoder

One picture at a time, and always the newest: what has not been looked at when a newer one comes is never looked at.
"""

import argparse
import json
import logging
import signal
import sys
import threading
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import minicpm

log = logging.getLogger("sidecar")
# A picture or a text that is larger is not looked at.
PICTURE_MAX_BYTES = 16 << 20
TEXT_MAX_BYTES = 64 << 10


class Mailbox:
    """The newest of everything; whoever takes it waits until there is something new."""

    def __init__(self):
        self.changed = threading.Condition()
        self.ended = False
        self.instruction: dict | None = None
        self.running = False
        self.picture: tuple[int, bytes] | None = None
        self.now_ns = 0  # the daemon's clock, as last seen
        self.frames = self.skipped = 0

    def say(self, instruction: dict | None):
        with self.changed:
            if instruction != self.instruction:
                self.instruction = instruction
                self.changed.notify()

    def see(self, at_ns: int, jpeg: bytes):
        with self.changed:
            self.frames += 1
            self.skipped += self.picture is not None
            self.picture = (at_ns, jpeg)
            self.now_ns = max(self.now_ns, at_ns)
            self.changed.notify()

    def run(self, running: bool):
        with self.changed:
            self.running = running
            self.changed.notify()

    def tick(self, at_ns: int):
        with self.changed:
            self.now_ns = max(self.now_ns, at_ns)

    def end(self):
        with self.changed:
            self.ended = True
            self.changed.notify()

    def take(self, known: str | None, wants_picture: bool, until: float):
        """What is to be encoded next: (instruction, picture, the daemon's time), or None at the end.

        A new instruction is due at once; the same one again not before `until`, and only while the robot is at it.
        """
        with self.changed:
            while not self.ended:
                asked = self.instruction
                is_new = asked is not None and asked["instruction_id"] != known
                goes_on = asked is not None and (asked["waits"] or self.running)
                ready = (is_new or goes_on) and (self.picture is not None or not wants_picture)
                left = until - time.monotonic()
                if ready and (is_new or left <= 0):
                    picture, self.picture = self.picture, None
                    return asked, picture, self.now_ns
                self.changed.wait(max(left, 0.001) if ready else None)
        return None


def serve(arguments, encoder: minicpm.Encoder):
    import zenoh

    box = Mailbox()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: box.end())
    session = connect(zenoh, arguments, box)
    if session is None:
        return
    root = f"reflex/{arguments.robot}"
    wants_picture = encoder.settings.image != "none"
    with session:
        keep = [session.declare_subscriber(f"{root}/state/instruction", lambda sample: hear(box, sample.payload.to_bytes()))]
        keep.append(session.declare_subscriber(f"{root}/state/joints", lambda sample: clock(box, sample.payload.to_bytes())))
        keep.append(session.declare_subscriber(f"{root}/state/skill", lambda sample: runs(box, sample.payload.to_bytes())))
        for reply in session.get(f"{root}/state/instruction", timeout=2.0):
            if reply.ok is not None:
                hear(box, reply.ok.payload.to_bytes())
        if wants_picture:
            name = arguments.camera or first_camera(session, root, box)
            if name is None:
                return
            keep.append(session.declare_subscriber(f"{root}/camera/{name}", lambda sample: look(box, sample)))
            log.info("looks through camera/%s", name)
        # Presence, for whoever wants to know whether a router is there.
        keep.append(session.liveliness().declare_token(f"{root}/router"))
        publisher = session.declare_publisher(f"{root}/embedding")
        print(json.dumps({"ready": True, "encoder": encoder.identity, "camera": wants_picture}), flush=True)
        work(box, encoder, publisher, wants_picture, arguments.period)
    log.info("ended: %d pictures came, %d of them were never looked at", box.frames, box.skipped)


def work(box: Mailbox, encoder: minicpm.Encoder, publisher, wants_picture: bool, period: float):
    """Encodes until the end: each new instruction at once, then again every period, with the newest picture."""
    known, until, last = None, 0.0, None
    while (taken := box.take(known, wants_picture, until)) is not None:
        asked, picture, now_ns = taken
        begun = time.monotonic()
        until = begun + period
        known = asked["instruction_id"]
        at_ns, jpeg = picture if picture else (now_ns, None)
        try:
            if jpeg is None and last is not None and last[0] == asked["text"]:
                numbers = last[1]  # nothing that it depends on has changed
            else:
                numbers = encoder.embed(asked["text"], None if jpeg is None else Image.open(BytesIO(jpeg)))
        except (minicpm.Refused, OSError, ValueError) as error:
            log.warning("no embedding for %r: %s", asked["text"][:120], error)
            continue
        last = (asked["text"], numbers)
        told = {
            "v": 1,
            "at_ns": at_ns,
            "instruction_id": known,
            "instruction": asked["text"],
            "encoder": encoder.identity["name"],
            "fingerprint": encoder.identity["fingerprint"],
            "latency_ms": round((time.monotonic() - begun) * 1e3, 3),
        }
        publisher.put(numbers.astype("<f4").tobytes(), attachment=json.dumps(told).encode())


def hear(box: Mailbox, payload: bytes):
    """What the daemon tells of the present instruction. One that nothing came of is none."""
    try:
        told = json.loads(payload) if len(payload) <= TEXT_MAX_BYTES else None
        said, name = told.get("text"), told.get("instruction_id")
        box.tick(int(told.get("at_ns") or 0))
    except (ValueError, AttributeError, TypeError):
        log.warning("state/instruction cannot be read: %r", payload[:200])
        return
    outcome = told.get("outcome", "waiting")
    waits = outcome in ("waiting", "deciding")
    known = said and name and (waits or outcome == "began")
    box.say({"instruction_id": str(name), "text": str(said), "waits": waits} if known else None)


def clock(box: Mailbox, payload: bytes):
    try:
        box.tick(int(json.loads(payload)["at_ns"]))
    except (ValueError, KeyError, TypeError):
        pass  # a state that cannot be read tells no time


def runs(box: Mailbox, payload: bytes):
    try:
        box.run(json.loads(payload)["running"] is not None)
    except (ValueError, KeyError, TypeError):
        log.warning("state/skill cannot be read: %r", payload[:200])


def look(box: Mailbox, sample):
    payload = sample.payload.to_bytes()
    try:
        at_ns = int(json.loads(sample.attachment.to_bytes())["at_ns"])
    except (ValueError, KeyError, TypeError, AttributeError):
        log.warning("a picture without its time is not looked at")
        return
    if len(payload) <= PICTURE_MAX_BYTES:
        box.see(at_ns, payload)


def first_camera(session, root: str, box: Mailbox) -> str | None:
    """The first camera of the daemon's configuration; while there is no daemon, the first that shows something."""
    for reply in session.get(f"{root}/info/config", timeout=2.0):
        if reply.ok is not None:
            cameras = find(json.loads(reply.ok.payload.to_bytes()), "cameras")
            if cameras:
                return cameras[0]["name"]
    log.info("waits for a camera to show something")
    with session.declare_subscriber(f"{root}/camera/*") as subscriber:
        while not box.ended:
            if (sample := subscriber.try_recv()) is not None:
                return str(sample.key_expr).rpartition("/")[2]
            time.sleep(0.1)
    return None


def find(told, key: str):
    """The first value of that key, however deep."""
    if isinstance(told, dict):
        if key in told:
            return told[key]
        return next((found for value in told.values() if (found := find(value, key))), None)
    return None


def connect(zenoh, arguments, box: Mailbox):
    """A session as a client of the daemon; tried until there is one, or until the end."""
    config = zenoh.Config()
    config.insert_json5("mode", '"client"')
    config.insert_json5("connect/endpoints", json.dumps(arguments.connect))
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("scouting/gossip/enabled", "false")
    config.insert_json5("transport/link/tx/lease", "2000")
    told = False
    while not box.ended:
        try:
            return zenoh.open(config)
        except zenoh.ZError as error:
            if not told:
                log.warning("nobody at %s yet: %s", ", ".join(arguments.connect), error)
            told = True
            with box.changed:
                box.changed.wait(1.0)
    return None


def embed(arguments, encoder: minicpm.Encoder):
    """Embeddings into a file, one row a line."""
    rows = []
    for at, line in enumerate(arguments.phrases.read_text(encoding="utf-8").splitlines(), 1):
        said, _, file = line.partition("\t")
        try:
            rows.append(encoder.embed(said, Image.open(file) if file else None))
        except (minicpm.Refused, OSError) as error:
            raise minicpm.Refused(f"{arguments.phrases}: line {at}: {error}") from error
    np.save(arguments.out, np.stack(rows).astype("<f4"))
    print(json.dumps({"rows": len(rows), "width": minicpm.WIDTH, "encoder": encoder.identity}))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    of_model = argparse.ArgumentParser(add_help=False)
    of_model.add_argument("--model", required=True, metavar="DIR|NAME", help="a checkpoint's folder, or its name on the hub")
    of_model.add_argument("--prompt", type=Path, metavar="FILE", help="what the user's turn says, with {instruction} in it")
    of_model.add_argument("--image", choices=["tile", "slices", "none"], default="tile",
                          help="one tile (default), as many as the checkpoint wants, or no picture at all")
    of_model.add_argument("--processor", choices=["pil", "torchvision"], default="pil", help="whose arithmetic resizes pictures")
    of_model.add_argument("--dtype", choices=sorted(minicpm.DTYPES), default="float32")
    of_model.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ...")
    of_model.add_argument("--attention", default="sdpa", help="eager, sdpa, flash_attention_2 ...")
    of_model.add_argument("--threads", type=int, default=1, help="on the processor; keep some cores for the loop (default: 1)")
    run = commands.add_parser("serve", parents=[of_model], help="publish embeddings until it is told to end")
    run.add_argument("--robot", required=True, help="the robot's name, as in reflex/<robot>/...")
    run.add_argument("--connect", nargs="+", default=["tcp/127.0.0.1:7447"], metavar="ENDPOINT", help="where its daemon listens")
    run.add_argument("--camera", help="through which camera it looks (default: the daemon's first)")
    run.add_argument("--period", type=float, default=1.0, metavar="S", help="the same instruction is encoded again so often")
    write = commands.add_parser("embed", parents=[of_model], help="write embeddings for training")
    write.add_argument("phrases", type=Path, metavar="FILE.tsv")
    write.add_argument("--out", type=Path, required=True, metavar="FILE.npy")
    commands.add_parser("identity", parents=[of_model], help="print by what a head knows this encoder")
    return parser.parse_args()


def main():
    arguments = parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    torch.set_num_threads(max(arguments.threads, 1))
    options = {key: getattr(arguments, key) for key in ("image", "processor", "dtype", "device", "attention")}
    try:
        if arguments.prompt:
            options["prompt"] = arguments.prompt.read_text(encoding="utf-8").strip()
        encoder = minicpm.load(arguments.model, minicpm.Settings(**options))
        if arguments.command == "serve":
            serve(arguments, encoder)
        elif arguments.command == "embed":
            embed(arguments, encoder)
        else:
            print(json.dumps(encoder.identity | {"of": encoder.parts}, indent=1, sort_keys=True))
    except (minicpm.Refused, OSError) as error:
        sys.exit(f"sidecar: {error}")


if __name__ == "__main__":
    main()
