//! Static post-training quantization.
#![forbid(unsafe_code)]
