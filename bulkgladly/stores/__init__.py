"""Object stores: buckets of S3, Google Cloud Storage and Azure, behind a few verbs, and the lock of a prefix.

`addresses` reads a URL such as that of a bucket. `store` says what a store can do: list, read, and write an object
only if it is absent or unchanged. `store_opening` opens one by its URL, `bucket` does it over the network, and
`store_failures` says what an error of a store means for a run. `conditions` proves that a store honours conditions
before anything is entrusted to it, and `store_checks` tries all that is needed of one. `lease` is the lock that
machines share.
"""
