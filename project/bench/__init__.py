"""`make bench`: each aim of speed as a ratio to the barest honest code beside it, in one run.

It starts a PostgreSQL and a Redis of its own and the processes of the Procfile, loads them, and
prints one table; a miss is printed, not an error. Ratios of CPU count the server's processes and
their database backends, never the sender. `limits` holds the bare programs, `intake`, `drain`,
`reads` and `starts` the rows.
"""
