"""The report card, which compares generated LR with real LR."""
