"""The reports: metric sets, the invented facts behind them, and the CSV that is made from both."""
