"""Cases as large as a hostile or a very busy target makes them, a module a profile; `values` are what they share."""
