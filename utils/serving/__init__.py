"""The protocol: lines of JSON in, lines of JSON out. Knows engines only as `utils.core.api.Engine`; never torch, never numpy."""
