"""Trains the Piper's heads: feedback teachers -> episodes -> imitation on the head's own states -> ONNX."""
