"""Statistics of photos: noise, edges, spectra, JPEG blocks, local features."""
