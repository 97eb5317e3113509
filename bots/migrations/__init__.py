"""How the state database came to have its tables: one numbered step each, forward and back (`bots.database`).

A step only adds: the former program must keep working on the tables of the next one, because on a shared database both
run for a while. What is to go, goes one version after nothing uses it any more.
"""
