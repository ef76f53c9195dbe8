"""Everything that depends on Faust: transport, recovery, table and web server. Only the worker imports it."""
