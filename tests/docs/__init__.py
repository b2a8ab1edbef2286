"""The documentation: what of it is written from the code, and the tests that hold it."""
