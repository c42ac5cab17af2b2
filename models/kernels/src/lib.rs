//! Integer kernels; every SIMD version equals its scalar twin bit for bit.
