"""Reading input files: rows with their positions, whatever the format, in bounded memory.

`opening` finds the files (`folders` those in a folder) and chooses a reader, `inputs` reads several as one sequence
of rows. Readers offer what `contract` says: `text_files` and `csv_files` (on the byte streams of `sources`),
`columnar_files` (whose rows `columnar_rows` makes, with values from `cells`) and `sheet_files` (in the archive of
`sheet_archive`, with values from `sheet_cells`). What the first lines of a text file show is recognised by
`text_form` (encoding, line ends, whether it is text at all), `table_form` (delimiter, header) and `json_form` (JSON
that is not one object per line). `csv_forms` writes rejects in the form of their CSV file. Flat `columns` become
nested payloads by the `layouts` of a row.
"""
