"""ONNX files, run by onnxruntime as a whole or in part. From outside: `OnnxModel`."""

from reportgen.loading.formats.onnx.split import OnnxModel

__all__ = ["OnnxModel"]
