"""Expressions in rules: CEL (cel.dev), by the Rust-backed library `common-expression-language`.

Read in this order: names (what an expression refers to), values (JSON to CEL and back), functions (what the library
lacks), program (one compiled expression).
"""
