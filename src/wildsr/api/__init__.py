"""What ``import wildsr`` hands out: functions and objects for scripts and notebooks."""
