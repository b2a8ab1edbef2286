"""Plays Microsoft for rehearsals: Graph, sign-in, commerce and the people around a tenant, as a program of its own."""
