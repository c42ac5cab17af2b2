//! ONNX in, classifier out.
#![forbid(unsafe_code)]
