"""Reading input files: rows with their positions, whatever the format, in bounded memory."""
