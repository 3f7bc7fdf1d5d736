"""finescale: deep-learning downscaling of gridded Earth-science data."""
