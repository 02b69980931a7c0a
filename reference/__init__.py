"""The written contract of all JSON: schemas of snapshot files and of `--json`, and its reference.

`make reference` writes them from the declarations; tests keep the committed files equal to these.
Nothing here is shipped: the exporter itself only reads `schemas/`.
"""
