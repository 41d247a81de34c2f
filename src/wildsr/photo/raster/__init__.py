"""Read and write what sensors measure: any number of bands and pages, of any type of number."""
