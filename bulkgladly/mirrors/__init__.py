"""Data sets in a store: a copy of a data folder below a prefix, sent there and fetched back, whole unit by whole unit.

`contents` says what a data folder holds and what a prefix holds, in the same terms. `push` makes the prefix hold
what the folder holds, `pull` the folder what the prefix holds. Both send or fetch only what differs, parts first
and manifests after them, so that both can be interrupted anywhere and repeated.
"""
