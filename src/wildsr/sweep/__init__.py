"""Many trainings with values that Optuna draws, compared by what can be measured."""
