"""Apply networks to whole photos, folders and videos."""
