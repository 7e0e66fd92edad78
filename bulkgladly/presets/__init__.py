"""Mappings for the exports of systems that many people leave: which file is what, and a folder that is ready to check.

Each folder in systems/ is the preset of one system: its preset.toml says what its export consists of and in which
order it is imported, and the other files are mappings with comments. `preset_catalog` reads it, `export_recognition`
finds out which file of the user's is what, `preset_text` fits a mapping to these files, and `preset_folder` writes
the mappings and a project file.
"""
