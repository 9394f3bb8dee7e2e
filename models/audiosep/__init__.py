"""AudioSep: separates what a text describes. `resunet` is the separator, `text` turns texts into its conditions."""
