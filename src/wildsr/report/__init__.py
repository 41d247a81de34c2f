"""Reports for the user: contact sheets, learned degradations, tables, HTML pages."""
