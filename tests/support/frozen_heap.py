"""Excludes all objects of this process from later garbage collections, as soon as it is imported.

The fork server imports it last. Otherwise the first full collection of each process that it forks would look at the
objects of all libraries and write to them, so that the kernel would have to copy their pages.
"""

from __future__ import annotations

import gc

gc.collect()
gc.freeze()
