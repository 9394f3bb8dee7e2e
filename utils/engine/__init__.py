"""Models, chunks and stems: from a typed request to finished files. No JSON here, and nothing of the protocol."""
