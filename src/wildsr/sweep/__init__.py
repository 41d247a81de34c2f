"""Hyperparameter search: many trainings with values drawn by Optuna, compared by a metric."""
