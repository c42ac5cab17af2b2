//! Everything here is in `it/`: tests that need the whole of roadgaze.
