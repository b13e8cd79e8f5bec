"""The benchmark's modules.

program     the command line, and the order of things
figure      what was measured: samples, medians, ratios, targets
place       the working directory: programs, tmpfs, registries, mounts
trees       the data: the same images and shares for us and for the peers
rows        the list of rows
rows_read   warm-*, cold-*, attr-read
rows_write  share-*, cancel-*
rows_size   million, growth, import, daemon
rows_cloud  cloud-*
report      the table, the JSON, the page
plot        the plots
"""
