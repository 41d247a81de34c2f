"""The training of any method: objective, loop, callbacks, logs, the end."""
