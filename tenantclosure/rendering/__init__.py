"""Records turned into what people read: report pages, JSON, CSV."""
