"""The road of a song: a track is read, cut into chunks, run through networks, put together, and handed on as a stream."""
