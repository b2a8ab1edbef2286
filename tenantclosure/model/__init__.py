"""What we talk about: frozen dataclasses and the request's schema; pure, no I/O."""
