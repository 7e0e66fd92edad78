"""The life of a run, whatever it moves: begun, worked on, stopped, ended, told. Imports and exports are work for it."""
