"""The disk: files that are whole or not there, locks that die with their holder, and what its errors mean."""
