"""Promises of the encoder that need no robot: run by `make test-router-sidecar`, on a tiny checkpoint, in a minute."""

import json
import shutil
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import export
import minicpm
import tiny

SAID = "go find the berry and eat it"


class Encoders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        cls.made = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.made.cleanup)
        cls.folder = Path(cls.made.name) / "tiny"
        tiny.write(cls.folder, seed=1)
        cls.encoder = minicpm.load(str(cls.folder))

    def other(self, change) -> str:
        """The fingerprint of the same checkpoint after something in its folder was changed."""
        with tempfile.TemporaryDirectory() as copy:
            copy = Path(copy) / "copy"
            shutil.copytree(self.folder, copy)
            change(copy)
            return minicpm.load(str(copy)).identity["fingerprint"]

    def test_the_state_is_the_last_one_of_output_hidden_states(self):
        inputs = self.encoder.inputs(SAID, export.pattern(320, 240))
        with torch.inference_mode():
            hidden = self.encoder.network(**inputs, output_hidden_states=True).hidden_states[-1]
        wanted = hidden.mean(1)[0].numpy()
        found = self.encoder.embed(SAID, export.pattern(320, 240))
        self.assertEqual(found.shape, (minicpm.WIDTH,))
        np.testing.assert_array_equal(found, wanted)
        # Not brought to length one, and not before the norm.
        self.assertGreater(abs(np.linalg.norm(found) - 1.0), 0.5)

    def test_the_same_checkpoint_is_the_same_encoder(self):
        self.assertEqual(self.other(lambda folder: None), self.encoder.identity["fingerprint"])
        self.assertEqual(len(self.encoder.identity["fingerprint"]), 64)
        self.assertEqual(self.encoder.identity["prompt"], minicpm.PROMPT)

    def test_a_change_of_anything_is_another_encoder(self):
        def weights(folder):
            held = load_file(folder / "model.safetensors")
            name = sorted(held)[0]
            held[name] = held[name] + 1e-6
            save_file(held, folder / "model.safetensors", metadata={"format": "pt"})

        def template(folder):
            file = folder / "chat_template.jinja"
            file.write_text(file.read_text().replace("<think>\\n\\n", "<think>\\n"))

        def processor(key, value):
            def change(folder):
                file = folder / "processor_config.json"
                told = json.loads(file.read_text())
                told["image_processor"][key] = value
                file.write_text(json.dumps(told))

            return change

        def configuration(folder):
            file = folder / "config.json"
            told = json.loads(file.read_text())
            told["text_config"]["rms_norm_eps"] = 1e-5
            file.write_text(json.dumps(told))

        def tokenizer(folder):
            file = folder / "tokenizer.json"
            told = json.loads(file.read_text())
            told["model"]["merges"].pop()
            file.write_text(json.dumps(told))

        seen = {self.encoder.identity["fingerprint"]: "the checkpoint itself"}
        changes = {
            "weights": weights,
            "template": template,
            "resample": processor("resample", 2),
            "image_mean": processor("image_mean", [0.5, 0.5, 0.4]),
            "scale_resolution": processor("scale_resolution", 336),
            "downsample_mode": processor("downsample_mode", "4x"),
            "configuration": configuration,
            "tokenizer": tokenizer,
        }
        for name, change in changes.items():
            found = self.other(change)
            self.assertNotIn(found, seen, f"{name} is the same as {seen.get(found)}")
            seen[found] = name
        for name, value in {
            "prompt": "Say: {instruction}",
            "image": "none",
            "processor": "torchvision",
            "dtype": "bfloat16",
            "attention": "eager",
        }.items():
            found = minicpm.load(str(self.folder), replace(minicpm.Settings(), **{name: value})).identity["fingerprint"]
            self.assertNotIn(found, seen, f"{name} is the same as {seen.get(found)}")
            seen[found] = name
        slices = minicpm.load(str(self.folder), minicpm.Settings(image="slices")).identity["fingerprint"]
        self.assertNotIn(slices, seen)

    def test_an_instruction_cannot_speak_the_templates_words(self):
        for bad in ("", "  \n ", "go<|im_end|>", "look <image>", "a\x07b", "x" * (minicpm.INSTRUCTION_MAX + 1)):
            with self.assertRaises(minicpm.Refused, msg=repr(bad)):
                self.encoder.embed(bad, export.pattern(320, 240))
        with self.assertRaisesRegex(minicpm.Refused, "no picture yet"):
            self.encoder.embed(SAID, None)
        spaced = self.encoder.embed("  go  find\tthe berry and\neat it ", export.pattern(320, 240))
        np.testing.assert_array_equal(spaced, self.encoder.embed(SAID, export.pattern(320, 240)))

    def test_what_is_said_and_what_is_seen_both_count(self):
        found = self.encoder.embed(SAID, export.pattern(320, 240))
        for other in (
            self.encoder.embed("walk to the red marker", export.pattern(320, 240)),
            self.encoder.embed(SAID, export.pattern(320, 240).rotate(180)),
        ):
            self.assertGreater(np.abs(found - other).max(), 1e-2)

    def test_a_model_that_heads_cannot_read_is_refused(self):
        with self.assertRaisesRegex(minicpm.Refused, "config.json"):
            minicpm.load(str(self.folder.parent))
        with self.assertRaisesRegex(minicpm.Refused, "instruction"):
            minicpm.load(str(self.folder), minicpm.Settings(prompt="look around"))

    def test_what_cannot_be_exported_says_so(self):
        for settings in (minicpm.Settings(image="slices"), minicpm.Settings(processor="torchvision"),
                         minicpm.Settings(dtype="bfloat16")):
            with self.assertRaises(minicpm.Refused):
                export.describe(minicpm.load(str(self.folder), settings), self.folder)


if __name__ == "__main__":
    unittest.main()
