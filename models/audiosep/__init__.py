"""AudioSep: separates what a text describes. `resunet` is the separator, `text` turns descriptions into its conditions."""
