"""ONNX files, run by onnxruntime whole or in part. From outside: `OnnxModel`, `onnx_function`."""

from reportgen.loading.formats.onnx.split import OnnxModel, onnx_function

__all__ = ["OnnxModel", "onnx_function"]
