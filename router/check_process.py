#!/usr/bin/env python3
"""The sidecar as a process beside the real daemon: `check_process.py --reflexd target/debug/reflexd --model DIR`.

A simulated Piper with a camera, a router's head that knows nothing but was made for this encoder's fingerprint, and
somebody who says something. What was said and seen arrives as an embedding and is decided about; with a head for
another fingerprint it is refused, with the remedy; a sidecar that is frozen or gone makes nobody wait for ever.
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import torch
import zenoh
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import minicpm

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SAID = "pick up the berry"
SKILLS = ["walk_to", "run_around", "pick_up", "find_and_eat_berry"]
JOINTS = ["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "gripper"]
# Nothing that is waited for takes this long, however busy the machine is.
PATIENCE = 120.0


def head(folder: Path, name: str, identity: dict):
    """A router's head that always picks up, a little otherwise for each embedding."""
    chance = np.random.default_rng(1)
    weights = {"skills": chance.normal(0, 1e-3, (1066, 4)), "params": chance.normal(0, 1e-3, (1066, 6))}
    bias = {"skills": np.array([0, 0, 8.0, 0]), "params": np.zeros(6)}
    outputs = {"skills": "skill_logits", "params": "params"}
    held = [numpy_helper.from_array(value.astype(np.float32), f"{key}.w") for key, value in weights.items()]
    held += [numpy_helper.from_array(value.astype(np.float32), f"{key}.b") for key, value in bias.items()]
    nodes = [helper.make_node("Gemm", ["x", f"{key}.w", f"{key}.b"], [outputs[key]]) for key in weights]
    told = [helper.make_tensor_value_info(outputs[key], TensorProto.FLOAT, [1, weights[key].shape[1]]) for key in weights]
    graph = helper.make_graph(nodes, "head", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1066])], told, held)
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    network.ir_version = 9
    data = network.SerializeToString()
    (folder / f"{name}.onnx").write_bytes(data)
    mean, std = [0.35, 0.0, 0.02, 0.018, 0.3, 1.0], [0.01] * 6
    quoted = json.dumps  # which is TOML's way too, for what stands here
    lines = [
        'schema = "reflex.router.v1"', f"name = {quoted(name)}", 'robot = "piper"', f"onnx = {quoted(name + '.onnx')}",
        f"sha256 = {quoted(hashlib.sha256(data).hexdigest())}", f"skills = {quoted(SKILLS)}", "clip = 10.0",
        "[encoder]", *(f"{key} = {quoted(identity[key])}" for key in ("name", "prompt", "fingerprint")),
        "[embedding]", "mean = [0.0]", "std = [1.0]",
        "[params]", f"mean = {quoted(mean)}", f"std = {quoted(std)}",
        "[state]", 'hand = "arm"', f"mean = {quoted([0.0] * 42)}", f"std = {quoted([1.0] * 42)}",
        "[[state.body]]", 'name = "joint_position"', f"joints = {quoted(JOINTS)}",
        "[[state.body]]", 'name = "joint_velocity"', f"joints = {quoted(JOINTS)}",
        "[[state.body]]", 'name = "tool_position"', 'arm = "arm"', 'axes = ["x", "y", "z"]',
        "[[state.body]]", 'name = "previous_action"', 'joints = ["gripper"]',
    ]
    for seed in (2, 3):
        seen = np.random.default_rng(seed).uniform(-1, 1, 1066)
        logits = seen @ weights["skills"] + bias["skills"]
        params = (seen @ weights["params"]) * std + mean
        lines += ["[[golden]]", f"embedding = {quoted(seen[:1024].tolist())}", f"state = {quoted(seen[1024:].tolist())}",
                  f"logits = {quoted(logits.tolist())}", f"params = {quoted(params.tolist())}", "tolerance = 1e-3"]
    (folder / f"{name}.toml").write_text("\n".join(lines) + "\n")


class Daemon:
    """reflexd as a process, and a session as its client."""

    def __init__(self, reflexd: Path, folder: Path, head: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.endpoint = f"tcp/127.0.0.1:{free.getsockname()[1]}"
        config = folder / f"{head}-daemon.toml"
        config.write_text(
            f'robot = {json.dumps(str(ROOT / "config/robots/piper.toml"))}\nbackend = "mujoco"\n'
            f'registry = {json.dumps(str(ROOT / "models/policy_registry.json"))}\n'
            f"[loop]\nperiod_ms = 50\nlock_memory = false\n[zenoh]\nlisten = [{json.dumps(self.endpoint)}]\n"
            f"[router]\nhead = {json.dumps(str(folder / head) + '.toml')}\ntimeout_ms = 30000\n"
            '[[cameras]]\nname = "front"\nwidth = 160\nheight = 120\nrate_hz = 10.0\n'
        )
        self.log = open(folder / f"{head}.log", "w+")
        self.child = subprocess.Popen([reflexd, "run", "--config", config], cwd=ROOT, stdin=subprocess.DEVNULL,
                                      stdout=self.log, stderr=self.log)
        wait("the daemon answers", self.answers)
        self.must("cmd/arm", {})

    def answers(self) -> bool:
        if self.child.poll() is not None:
            self.log.seek(0)
            raise SystemExit(f"check: the daemon ended:\n{self.log.read()}")
        config = zenoh.Config()
        for key, value in {"mode": "client", "connect/endpoints": [self.endpoint], "scouting/multicast/enabled": False}.items():
            config.insert_json5(key, json.dumps(value))
        with contextlib.suppress(zenoh.ZError):
            self.session = zenoh.open(config)
            return bool(self.read("state/mode"))
        return False

    def ask(self, name: str, payload: dict) -> dict:
        for reply in self.session.get(f"reflex/piper/{name}", payload=json.dumps(payload), timeout=20.0):
            if reply.ok is not None:
                return json.loads(reply.ok.payload.to_bytes())
        raise SystemExit(f"check: {name} {payload}: no answer")

    def must(self, name: str, payload: dict) -> dict:
        answer = self.ask(name, payload)
        if not answer["accepted"]:
            raise SystemExit(f"check: {name} {payload}: {answer}")
        return answer

    def read(self, name: str) -> dict | None:
        for reply in self.session.get(f"reflex/piper/{name}", timeout=5.0):
            if reply.ok is not None:
                return json.loads(reply.ok.payload.to_bytes())
        return None

    def say(self, text: str, ttl_ms: int = 30_000) -> dict:
        return self.ask("instruction", {"text": text, "ttl_ms": ttl_ms})

    def settled(self, name: str) -> dict:
        """What became of an instruction, once it is known."""
        return wait(f"{name} is settled", lambda: (told := self.read("state/instruction"))
                    and told.get("instruction_id") == name and told["outcome"] not in ("waiting", "deciding") and told)

    def router(self) -> dict:
        return self.read("diag/router") or {}

    def end(self):
        self.session.close()
        self.child.terminate()
        self.child.wait(60)


class Sidecar:
    def __init__(self, daemon: Daemon, model: Path, *options: str):
        command = [sys.executable, str(HERE / "sidecar.py"), "serve", "--model", str(model), "--robot", "piper",
                   "--connect", daemon.endpoint, *options]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = self.child.stdout.readline()
        if not said:
            raise SystemExit(f"check: the sidecar ended: {self.child.communicate()[1][-2000:]}")
        self.told = json.loads(said)
        wait("the daemon knows of the sidecar", lambda: daemon.router().get("router_alive") is True)

    def end(self) -> tuple[int, str]:
        self.child.send_signal(signal.SIGTERM)
        _, said = self.child.communicate(timeout=PATIENCE)
        return self.child.returncode, said


def wait(what: str, look):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.05)
    raise SystemExit(f"check: {what}: not within {PATIENCE:.0f} s")


class Counts:
    passed = failed = 0

    def must(self, what: str, holds: bool, detail: object = ""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(f"{'ok  ' if holds else 'FAIL'} {what}{'' if holds else f': {detail}'}", flush=True)


def accepted(counts: Counts, daemon: Daemon, model: Path, encoder: minicpm.Encoder):
    frames, embeddings = {}, []

    def saw(sample):
        frames[json.loads(sample.attachment.to_bytes())["at_ns"]] = sample.payload.to_bytes()

    def got(sample):
        newest = max(frames, default=0)
        embeddings.append((json.loads(sample.attachment.to_bytes()), sample.payload.to_bytes(), newest))

    keep = [daemon.session.declare_subscriber("reflex/piper/camera/front", saw),
            daemon.session.declare_subscriber("reflex/piper/embedding", got)]
    said = daemon.say(SAID)
    counts.must("nothing is promised before a router is there", not said["accepted"] and "router" in said["reason"], said)
    sidecar = Sidecar(daemon, model, "--period", "0")
    counts.must("the sidecar says who it is", sidecar.told["encoder"] == encoder.identity, sidecar.told)
    said = daemon.say(SAID)
    counts.must("an instruction waits for the embedding", said["accepted"] and said["next"] == "embedding", said)
    told = daemon.settled(said["instruction_id"])
    counts.must("it is decided about, and the skill begins", told["outcome"] == "began", told)
    wait("several embeddings", lambda: len(embeddings) >= 4)
    daemon.must("cmd/hold", {})

    first, _, _ = embeddings[0]
    named = {"v": 1, "instruction_id": said["instruction_id"], "instruction": SAID, "encoder": "minicpm",
             "fingerprint": encoder.identity["fingerprint"]}
    counts.must("an embedding says what it is of", named.items() <= first.items() and first["latency_ms"] > 0, first)
    furthest, known = 0.0, 0
    for meta, payload, _ in embeddings[:4]:
        if (jpeg := frames.get(meta["at_ns"])) is not None:
            wanted = encoder.embed(SAID, Image.open(BytesIO(jpeg)))
            furthest = max(furthest, float(np.abs(np.frombuffer(payload, "<f4") - wanted).max()))
            known += 1
    counts.must("its numbers are of that very frame", known >= 2 and furthest <= 1e-5, (known, furthest))
    times = [meta["at_ns"] for meta, _, _ in embeddings]
    counts.must("each is of a newer frame than the one before", all(a < b for a, b in zip(times, times[1:])), times)
    # Newest wins: when it was begun, nothing newer had come; so it is no older than it took, and two frames.
    late = [newest - meta["at_ns"] - meta["latency_ms"] * 1e6 for meta, _, newest in embeddings]
    counts.must("none is of a frame that was old when it was begun", max(late) <= 1e9, late)
    tally = wait("the daemon counts it", lambda: (told := daemon.router()["embeddings"]) and told.get("taken") and told)
    counts.must("the daemon has made none of its own", not tally.get("own"), tally)

    os.kill(sidecar.child.pid, signal.SIGSTOP)
    said = daemon.say(SAID, ttl_ms=2000)
    if said["accepted"]:
        told = daemon.settled(said["instruction_id"])
        counts.must("frozen, it makes nobody wait for ever", told["outcome"] in ("expired", "refused") and told["reason"], told)
    else:
        counts.must("frozen, it makes nobody wait for ever", "router" in said["reason"], said)
    mode = daemon.read("state/mode")["mode"]
    counts.must("meanwhile the robot holds", mode in ("holding", "stopping"), mode)
    os.kill(sidecar.child.pid, signal.SIGCONT)
    code, words = sidecar.end()
    counts.must("told to end, it ends in order", code == 0 and "never looked at" in words, (code, words[-500:]))
    skipped = int(words.rpartition("pictures came, ")[2].split()[0])
    counts.must("frames that came while it was busy were passed over", skipped > 0, words[-300:])
    wait("the daemon sees that it is gone", lambda: daemon.router().get("router_alive") is False)
    said = daemon.say(SAID)
    counts.must("without it an instruction is refused, with the remedy", not said["accepted"] and "start" in said["reason"], said)
    for subscriber in keep:
        subscriber.undeclare()


def refused(counts: Counts, daemon: Daemon, model: Path, encoder: minicpm.Encoder):
    """A head for another encoder, and one that does not look: its prompt and its fingerprint are others."""
    sidecar = Sidecar(daemon, model)
    said = daemon.say(SAID)
    told = daemon.settled(said["instruction_id"])
    mine, remedy = encoder.identity["fingerprint"], "train a head for this one"
    counts.must("an embedding of another fingerprint is refused, with the remedy",
                told["outcome"] == "refused" and mine in told["reason"] and remedy in told["reason"], told)
    wait("it is counted", lambda: daemon.router()["embeddings"].get("of_another_encoder"))  # told once a second
    code, words = sidecar.end()
    counts.must("the sidecar does not mind", code == 0, words[-500:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reflexd", type=Path, required=True, help="the program reflexd, with the feature mujoco")
    parser.add_argument("--model", type=Path, required=True, help="a checkpoint's folder, as of tiny.py")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    encoder = minicpm.load(str(arguments.model))
    blind = minicpm.load(str(arguments.model), minicpm.Settings(image="none"))
    counts = Counts()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        head(folder, "fits", encoder.identity)
        head(folder, "other", blind.identity)
        for name, act in (("fits", accepted), ("other", refused)):
            daemon = Daemon(arguments.reflexd.resolve(), folder, name)
            try:
                act(counts, daemon, arguments.model.resolve(), encoder)
            finally:
                daemon.end()
    print(f"{counts.passed} passed, {counts.failed} failed")
    sys.exit(counts.failed > 0)


if __name__ == "__main__":
    main()
