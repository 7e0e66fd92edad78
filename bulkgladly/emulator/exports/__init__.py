"""What Gladly does by itself for exports: it makes jobs and their files."""
