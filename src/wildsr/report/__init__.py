"""What people look at: contact sheets, learned cameras, tables."""
