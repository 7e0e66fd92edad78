"""Reading input files: rows with their positions, whatever the format, in bounded memory.

`opening` finds the files and chooses a reader, `inputs` reads several as one sequence of rows. Readers offer what
`contract` says: `text_files` (on the byte streams of `sources`) and `columnar_files` (whose values `cells` converts).
`csv_forms` writes rejects in the form of their CSV file. Flat `columns` become nested payloads by the `layouts` of a
row.
"""
