"""Trains the head `piper_pick_up`: scripted expert -> episodes -> imitation -> ONNX."""
