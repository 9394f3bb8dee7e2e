"""Models, chunks and stems: from a typed request to finished files. Nothing here knows about JSON or the protocol."""
