"""Read and write measured values: any number of bands and pages, of any numeric type."""
