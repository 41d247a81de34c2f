"""Reports for people: contact sheets, learned cameras, tables, pages."""
