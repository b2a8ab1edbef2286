"""Makes what is deployed: the app's folder and its zip, for one backend. Not part of it; docs/host.md explains it."""
