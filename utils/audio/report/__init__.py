"""The report of a separation: a picture of the mix and the stems, and a page that also plays them."""
