"""Where sessions live, as far as a `TriggerManager` is concerned: a folder for the contract and its adapters."""
