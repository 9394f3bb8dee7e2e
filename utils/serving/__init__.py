"""The protocol: lines of JSON in, lines of JSON out. Engines are known only as `utils.core.api.EngineApi`; never torch, never numpy."""
