"""What Gladly does for exports without a request: it creates jobs and their files."""
