"""Promises of setup/fetch.py, kept with wheels made here: no network, about two seconds. Run by `make test`."""

import contextlib
import hashlib
import io
import pathlib
import sys
import tempfile
import unittest
import zipfile
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fetch  # noqa: E402

WHEELS = {
    "mujoco": ("3.17.0", "manylinux_2_27_{0}.manylinux_2_28_{0}", "mujoco/libmujoco.so.3.17.0",
               "mujoco-3.17.0.dist-info/licenses/LICENSE"),
    "onnxruntime": ("1.31.1", "manylinux_2_28_{0}", "onnxruntime/capi/libonnxruntime.so.1.31.1",
                    "onnxruntime/LICENSE"),
}


class Fetch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.wheels = self.root / "wheels"
        self.into = self.root / "third_party"
        self.requirements = self.root / "requirements.txt"
        self.publish("first")
        patch = mock.patch.object(fetch, "REQUIREMENTS", self.requirements)
        patch.start()
        self.addCleanup(patch.stop)

    def publish(self, content):
        """Wheels of both libraries for both architectures, and the pins that accept exactly them."""
        self.wheels.mkdir(exist_ok=True)
        lines = []
        for name, (version, tag, library, licence) in WHEELS.items():
            line = f"{name}=={version}"
            for arch in ("x86_64", "aarch64"):
                path = self.wheels / f"{name}-{version}-cp312-cp312-{tag.format(arch)}.whl"
                with zipfile.ZipFile(path, "w") as wheel:
                    info = f"{name}-{version}.dist-info"
                    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
                    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\n")
                    wheel.writestr(f"{info}/RECORD", "")
                    wheel.writestr(library, f"{content} {arch}")
                    wheel.writestr(licence, "MIT")
                line += f" --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
            lines.append(line)
        self.requirements.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run_setup(self, *extra, arch="x86_64"):
        said = io.StringIO()
        command = ["fetch.py", "--into", str(self.into), "--wheels", str(self.wheels), "--arch", arch, *extra]
        with mock.patch.object(sys, "argv", command), contextlib.redirect_stdout(said), \
                contextlib.redirect_stderr(said):
            return fetch.main(), said.getvalue()

    def mujoco(self):
        return (self.into / "mujoco/libmujoco.so").read_text(encoding="utf-8")

    def test_sets_up_both_libraries_under_the_names_that_the_build_asks_for(self):
        for arch in ("x86_64", "aarch64"):
            code, said = self.run_setup(arch=arch)
            self.assertEqual(code, 0, said)
            self.assertEqual(self.mujoco(), f"first {arch}")
            link = self.into / "onnxruntime/libonnxruntime.so"
            self.assertEqual(link.readlink().name, "libonnxruntime.so.1.31.1")
            self.assertTrue((self.into / "mujoco/LICENSE").exists())

    def test_asks_for_nothing_when_all_is_in_place_and_mends_what_was_damaged(self):
        self.run_setup()
        with mock.patch.object(fetch, "download", side_effect=AssertionError("nothing to download")):
            self.assertEqual(self.run_setup()[0], 0)
            self.assertEqual(self.run_setup("--quiet")[1], "")
        (self.into / "mujoco/libmujoco.so.3.17.0").write_text("half", encoding="utf-8")
        self.assertEqual(self.run_setup()[0], 0)
        self.assertEqual(self.mujoco(), "first x86_64")
        (self.into / "onnxruntime/libonnxruntime.so").unlink()
        self.assertEqual(self.run_setup()[0], 0)
        self.assertTrue((self.into / "onnxruntime/libonnxruntime.so").exists())

    def test_takes_a_new_pin_and_removes_the_old_version(self):
        self.run_setup()
        (self.into / "mujoco/libmujoco.so.3.16.0").write_text("old", encoding="utf-8")
        self.publish("second")
        self.assertEqual(self.run_setup()[0], 0)
        self.assertEqual(self.mujoco(), "second x86_64")
        self.assertFalse((self.into / "mujoco/libmujoco.so.3.16.0").exists())

    def test_refuses_a_wheel_that_the_pins_do_not_name_and_keeps_what_was_there(self):
        self.run_setup()
        pins = self.requirements.read_text(encoding="utf-8")
        self.publish("tampered")
        self.requirements.write_text("# new pins\n" + pins, encoding="utf-8")
        code, said = self.run_setup()
        self.assertEqual(code, 1)
        self.assertIn("not the one that setup/requirements.txt pins", said)
        self.assertEqual(self.mujoco(), "first x86_64")

    def test_an_interrupted_run_leaves_nothing_half_and_the_next_one_cleans_up(self):
        left_over = self.into / ".staging-killed"
        left_over.mkdir(parents=True)
        with mock.patch.object(fetch, "install", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                self.run_setup()
        self.assertEqual([path.name for path in self.into.iterdir()], [".lock"])
        self.assertEqual(self.run_setup()[0], 0)

    def test_says_what_is_missing_and_how_to_mend_it(self):
        self.assertIn("only for x86_64 and aarch64", self.run_setup(arch="riscv64")[1])
        self.wheels = self.root / "empty"
        self.wheels.mkdir()
        code, said = self.run_setup()
        self.assertEqual(code, 1)
        self.assertIn("Remedy: put the wheels of mujoco==3.17.0, onnxruntime==1.31.1 for x86_64 into", said)
        arguments = mock.Mock(wheels=None)
        self.assertIn("python3-pip", fetch.explain("/usr/bin/python3: No module named pip", arguments))
        self.assertIn("HTTPS_PROXY", fetch.explain("WARNING: Retrying (Retry(total=2)) ...", arguments))
        with mock.patch.object(fetch.platform, "libc_ver", return_value=("glibc", "2.17")):
            self.assertIn("glibc 2.28", self.run_setup()[1])


if __name__ == "__main__":
    unittest.main()
