"""The report card: real LR photos against generated ones."""
