"""ONNX files: checked, cut and run by onnxruntime. From outside: `OnnxGraph`, `read_onnx`, …"""
